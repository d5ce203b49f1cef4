"""What the warnings of the intake checks (入库检查) say, for people."""

from __future__ import annotations

from archive_store.foundation.errors import Message
from archive_store.inspection.findings import IntakeWarning

FINDING_TEXTS: dict[IntakeWarning, Message] = {
    IntakeWarning.LOW_RESOLUTION: Message(
        zh="分辨率低于 200 dpi。", en="The resolution is below 200 dpi (DA/T 31)."
    ),
    IntakeWarning.BLANK_PAGE: Message(zh="有空白页。", en="There are blank pages."),
    IntakeWarning.SKEWED: Message(zh="页面偏斜。", en="Pages are skewed."),
    IntakeWarning.UNREADABLE: Message(
        zh="文件或其中的页面无法读取。", en="The file, or pages of it, cannot be read."
    ),
    IntakeWarning.PASSWORD_PROTECTED: Message(zh="文件设有密码。", en="The file asks for a password."),
    IntakeWarning.DUPLICATE: Message(
        zh="该生已有内容完全相同的扫描件。", en="A scan of the student with the same bytes is there already."
    ),
    IntakeWarning.NOT_VIRUS_CHECKED: Message(zh="未查毒。", en="It was not checked for viruses."),
}
