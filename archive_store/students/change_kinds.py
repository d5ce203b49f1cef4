"""The kinds of status changes (异动类别), as a status period names what it began by."""

from __future__ import annotations

from enum import StrEnum


class ChangeKind(StrEnum):
    """异动类别."""

    SUSPEND = "SUSPEND"  # 休学
    RESUME = "RESUME"  # 复学
    RETAIN_STATUS = "RETAIN_STATUS"  # 保留学籍
    HALT = "HALT"  # 停学
    DROP_OUT = "DROP_OUT"  # 辍学
    TRANSFER_OUT = "TRANSFER_OUT"  # 转出
    TRANSFER_IN = "TRANSFER_IN"  # 转入, of a student who was here before
    WITHDRAW = "WITHDRAW"  # 退学
    EXPEL = "EXPEL"  # 开除学籍
    DIE = "DIE"  # 死亡
    DEFER_ADMISSION = "DEFER_ADMISSION"  # 保留入学资格
    TAKE_UP = "TAKE_UP"  # 恢复入学资格, 入学
    CANCEL = "CANCEL"  # 取消入学资格, 取消学籍
    VOID = "VOID"  # 注销
    REINSTATE = "REINSTATE"  # 恢复学籍
    REPEAT = "REPEAT"  # 留级
    SKIP = "SKIP"  # 跳级
    CHANGE_MAJOR = "CHANGE_MAJOR"  # 转专业, 转系
    CORRECT = "CORRECT"  # 更正
    GRADUATE = "GRADUATE"  # 毕业
    COMPLETE = "COMPLETE"  # 结业
    LEAVE_INCOMPLETE = "LEAVE_INCOMPLETE"  # 肄业
