"""Every error a user can meet: its code, HTTP status and sentence, in one table.

Raise `RegistrarError` with a code of the table; HTTP, GraphQL, the CLI and row reports all render the same
object. Anything else that escapes is a defect: it is logged once with its trace and shown as `internal`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from archive_store.foundation.error_codes import ErrorCode as ErrorCode


@dataclass(frozen=True, slots=True)
class Message:
    """One sentence in the two languages of the users."""

    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class ErrorText:
    """HTTP status and the sentence's templates; `{name}` places are filled from the error's details."""

    status: int
    zh: str
    en: str


ERROR_TABLE: dict[ErrorCode, ErrorText] = {
    ErrorCode.UNAUTHENTICATED: ErrorText(
        401, "登录凭证缺失或无效。", "The sign-in token is missing or not valid."
    ),
    ErrorCode.FORBIDDEN: ErrorText(
        403, "您的岗位无权执行此操作。", "Your post does not allow this operation."
    ),
    ErrorCode.NOT_FOUND: ErrorText(404, "找不到该记录。", "There is no such record."),
    ErrorCode.PURPOSE_REQUIRED: ErrorText(
        403, "查阅敏感信息须说明用途。", "Sensitive values are read for a stated purpose only."
    ),
    ErrorCode.INVALID_ARGUMENT: ErrorText(
        400, "参数无效:{detail_zh}", "The argument is not valid: {detail_en}"
    ),
    ErrorCode.INVALID_QUERY: ErrorText(400, "查询无效:{detail}", "{detail}"),
    ErrorCode.UNKNOWN_FIELD: ErrorText(400, "没有名为“{name}”的字段。", 'There is no field named "{name}".'),
    ErrorCode.TOO_LONG: ErrorText(
        400, "文字超过 {limit} 个字符。", "The text is longer than {limit} characters."
    ),
    ErrorCode.TOO_MANY: ErrorText(400, "最多 {limit} 项。", "There may be {limit} items at most."),
    ErrorCode.TOO_LARGE: ErrorText(
        413, "内容超过上限 {limit}。", "The content is larger than the limit of {limit}."
    ),
    ErrorCode.TOO_MANY_PAGES: ErrorText(
        422, "文件超过 {limit} 页。", "The file has more than {limit} pages."
    ),
    ErrorCode.TIMED_OUT: ErrorText(
        408,
        "内容传输中断或过慢,请重新发送。",
        "The content stopped coming, or came too slowly; send it again.",
    ),
    ErrorCode.TOO_COMPLEX: ErrorText(
        400, "查询过于复杂:{detail_zh}。", "The query is too complex: {detail_en}."
    ),
    ErrorCode.UNSUPPORTED_MEDIA_TYPE: ErrorText(
        415,
        "不接受此类文件,只接受:{allowed}。",
        "This kind of file is not accepted; accepted are: {allowed}.",
    ),
    ErrorCode.DIGEST_MISMATCH: ErrorText(
        422, "收到的内容与所声明的 SHA-256 不符。", "The content received does not match the stated SHA-256."
    ),
    ErrorCode.CHECKSUM_MISMATCH: ErrorText(
        460,
        "本次传输的内容与其校验和不符,未予保存。",
        "What was sent does not match its checksum; nothing of it was kept.",
    ),
    ErrorCode.INFECTED: ErrorText(
        422, "文件含有恶意代码,已拒收。", "The file carries malicious code and was refused."
    ),
    ErrorCode.DAMAGED: ErrorText(
        422, "已存内容缺失或损坏,请重新上传。", "What was stored is missing or damaged; upload it again."
    ),
    ErrorCode.INVALID_FILE_NAME: ErrorText(
        400,
        "文件名须为“{{年级}}级[第{{批次}}批]{{文件类型}}[-{{学号}}]”:{fault_zh}。{suggested_zh}",
        "The file name must read {{cohort}}级[第{{batch}}批]{{document type}}[-{{student number}}]: "
        "{fault_en}.{suggested_en}",
    ),
    ErrorCode.NOTHING_TO_CHANGE: ErrorText(
        400, "申请的内容与现有记录相同。", "The request changes nothing: the record already has these values."
    ),
    ErrorCode.REQUIRED: ErrorText(422, "此项必填。", "This value is required."),
    ErrorCode.LENGTH: ErrorText(422, "长度应为 {expected} 位。", "The length must be {expected} characters."),
    ErrorCode.CHECK_DIGIT: ErrorText(422, "校验码不正确。", "The check digit is wrong."),
    ErrorCode.INVALID_DATE: ErrorText(
        422, "日期不存在或格式不对。", "The date does not exist or is not written as a date."
    ),
    ErrorCode.INVALID_PHONE: ErrorText(422, "电话号码格式不对。", "The phone number is not well formed."),
    ErrorCode.INVALID_EMAIL: ErrorText(422, "电子信箱格式不对。", "The e-mail address is not well formed."),
    ErrorCode.INVALID_STUDENT_NUMBER: ErrorText(
        422,
        "全国学籍号须为 G、L 或 J 开头的 19 位号码。",
        "A national student number has 19 characters and starts with G, L or J.",
    ),
    ErrorCode.UNKNOWN_CODE: ErrorText(422, "代码表中没有此值。", "The code table does not have this value."),
    ErrorCode.MISMATCH_IDENTITY: ErrorText(
        422, "与身份证件号所载不一致。", "This differs from what the identity number says."
    ),
    ErrorCode.NAME_MISMATCH: ErrorText(
        422, "姓名与该学号的学生不符。", "This is not the name of the student with that number."
    ),
    ErrorCode.NOT_IN_CLASS: ErrorText(
        422,
        "该学号的学生不在课程安排的班级。",
        "The student with this number is not in the class of the arrangement.",
    ),
    ErrorCode.DUPLICATE: ErrorText(
        422, "与其他记录重复({others})。", "The same value stands elsewhere ({others})."
    ),
    ErrorCode.FORMULA: ErrorText(
        422,
        "不得为公式或以公式符号(= + - @)开头。",
        "This must not be a formula, nor start like one (= + - @).",
    ),
    ErrorCode.INEXACT_NUMBER: ErrorText(
        422,
        "单元格为数值格式,长号码已失去精度;请改为文本格式。",
        "The cell is a number and has lost digits; format it as text.",
    ),
    ErrorCode.UNREADABLE_WORKBOOK: ErrorText(
        400, "文件无法作为 XLSX、XLS 或 CSV 读取。", "The file cannot be read as XLSX, XLS or CSV."
    ),
    ErrorCode.EMPTY_FILE: ErrorText(400, "文件是空的。", "The file is empty."),
    ErrorCode.HEADER_NOT_FOUND: ErrorText(
        400,
        "前 {searched} 行中找不到表头,缺少:{missing}。",
        "No header row in the first {searched} rows; missing: {missing}.",
    ),
    ErrorCode.UNKNOWN_COLUMN: ErrorText(400, "不认识的列:{name}。", "Unknown column: {name}."),
    ErrorCode.DUPLICATE_COLUMN: ErrorText(400, "列重复:{name}。", "The column stands twice: {name}."),
    ErrorCode.OUT_OF_RANGE: ErrorText(
        422, "须在 {least} 与 {most} 之间。", "This must lie between {least} and {most}."
    ),
    ErrorCode.CONFLICT: ErrorText(
        409, "申请提交后记录已变更:{fields}。", "The record has changed since the request was made: {fields}."
    ),
    ErrorCode.WRONG_STATE: ErrorText(
        409, "当前状态为 {state},不能执行此操作。", "This cannot be done in the state {state}."
    ),
    ErrorCode.RULE_FORBIDS: ErrorText(
        409, "按规定不能办理:{article}。", "The rules do not allow it: {article}."
    ),
    ErrorCode.MATERIALS_MISSING: ErrorText(
        400, "缺少必备材料:{types}。", "Required papers are missing: {types}."
    ),
    ErrorCode.DEPENDED_ON: ErrorText(
        409,
        "第 {row} 行录入的内容已有后续业务,不能撤销:{what_zh}。",
        "What row {row} entered cannot be taken out again, since something depends on it: {what_en}.",
    ),
    ErrorCode.DISPOSED: ErrorText(
        410,
        "该扫描件保管期满,已销毁,仅存目录信息。",
        "The scan was disposed of when its retention ended; only its stub remains.",
    ),
    ErrorCode.SELF_APPROVAL: ErrorText(
        403,
        "申请人不得审批本人的申请,一人不得审批两个环节。",
        "Nobody approves their own request or two of its steps.",
    ),
    ErrorCode.SEAT_TAKEN: ErrorText(
        409, "该岗位编制已满({limit})。", "All seats of this post are taken ({limit})."
    ),
    ErrorCode.LOCKED: ErrorText(
        423, "另一请求正在处理该内容。", "Another request is at work on this; try again in a moment."
    ),
    ErrorCode.OFFSET_MISMATCH: ErrorText(
        409, "应从第 {expected} 字节续传。", "The upload goes on at byte {expected}."
    ),
    ErrorCode.TRY_AGAIN: ErrorText(503, "系统繁忙,请稍后重试。", "The system is busy; please try again."),
    ErrorCode.POST_ENDED: ErrorText(
        403, "您的岗位任期已变更,请重新订阅。", "A post of yours has ended; please subscribe again."
    ),
    ErrorCode.EVENTS_MISSED: ErrorText(
        410,
        "可能有通知未送达,请重新加载列表后再订阅。",
        "Notifications may have been missed; load the lists anew, then subscribe again.",
    ),
    ErrorCode.TOO_SLOW: ErrorText(
        429,
        "接收过慢,订阅已中止;请重新加载列表后再订阅。",
        "The subscriber was too slow and was dropped; load the lists anew, then subscribe again.",
    ),
    ErrorCode.TOO_OFTEN: ErrorText(
        429, "每{per_zh}最多 {limit} 次,请稍后再试。", "At most {limit} {per_en}; please try again later."
    ),
    ErrorCode.INTERNAL: ErrorText(
        500,
        "系统出错,请凭编号 {reference} 联系管理员。",
        "Something failed; give the administrator the reference {reference}.",
    ),
}


class RegistrarError(Exception):
    """An error for the person who asked.

    `field` is the path of the input at fault, from the operation's input on (`changes.guardians.0.phone`); of an
    approval, whose own input is not at fault, it is the record's field. `rule` is the source of the rule broken (a
    policy section or a standard's number). Details fill the sentence; never put a value there that the asker may
    not read.
    """

    def __init__(
        self, code: ErrorCode, *, field: str | None = None, rule: str | None = None, **details: object
    ) -> None:
        self.code = code
        self.field = field
        self.rule = rule
        self.details = details
        text = ERROR_TABLE[code]
        self.status = text.status
        self.message = Message(zh=text.zh.format(**details), en=text.en.format(**details))
        super().__init__(f"{code}: {self.message.en}")


@contextmanager
def error_fields_under(place: str) -> Iterator[None]:
    """Errors raised within name their field as it stands in the input, below `place`."""
    try:
        yield
    except RegistrarError as error:
        if error.field is not None:
            error.field = f"{place}.{error.field}"
        raise
