"""The kinds of status changes (异动类别): from which status each leads to which. What rules add is data.

`code` is that of one deployed system which looks like JY/T 1001 (see docs/status-changes.md); None where it has none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from archive_store.students.change_kinds import ChangeKind
from archive_store.students.documents import StudentStatus

S = StudentStatus
TERMINAL_STATUSES = frozenset(
    {
        *(S.TRANSFERRED_OUT, S.GRADUATED, S.COMPLETED, S.INCOMPLETE, S.WITHDRAWN, S.EXPELLED),
        *(S.CANCELLED, S.DECEASED, S.VOIDED),
    }
)
_BEFORE_STUDY = frozenset({S.PENDING_ADMISSION, S.ADMISSION_DEFERRED})
_AWAY = frozenset({S.SUSPENDED, S.STATUS_RETAINED, S.STUDY_HALTED, S.DROPPED_OUT})
_ON_ROLL = _AWAY | {S.ENROLLED}
_OPEN = _ON_ROLL | _BEFORE_STUDY
_STUDYING = frozenset({S.ENROLLED})


@dataclass(frozen=True, slots=True)
class KindFacts:
    """From which statuses it leads to which; `after` is None where the payload says it.

    `moves` asks for another class, `changes_major` for another major and, if need be, class; `verb` names the
    operation, `student.VERB`, and the kind of its entries. What is `by_graduation` has no operation of its own: only
    the decision that the credential audit allows leads there.
    """

    verb: str
    before: frozenset[StudentStatus]
    after: StudentStatus | None
    zh: str
    code: str | None = None
    moves: bool = False
    changes_major: bool = False
    by_graduation: bool = False

    @property
    def operation(self) -> str:
        return f"student.{self.verb}"

    @property
    def entry_kind(self) -> str:
        return f"student:status:{self.verb}"


KINDS: Mapping[ChangeKind, KindFacts] = {
    ChangeKind.SUSPEND: KindFacts("suspend", _STUDYING, S.SUSPENDED, "休学", "11"),
    ChangeKind.RESUME: KindFacts("resume", _AWAY, S.ENROLLED, "复学", "12"),
    ChangeKind.RETAIN_STATUS: KindFacts(
        "retain_status", _STUDYING | {S.SUSPENDED}, S.STATUS_RETAINED, "保留学籍", "19"
    ),
    ChangeKind.HALT: KindFacts("halt", _STUDYING, S.STUDY_HALTED, "停学", "13"),
    ChangeKind.DROP_OUT: KindFacts("drop_out", _STUDYING | {S.SUSPENDED}, S.DROPPED_OUT, "辍学"),
    ChangeKind.TRANSFER_OUT: KindFacts("transfer_out", _ON_ROLL, S.TRANSFERRED_OUT, "转出", "21"),
    ChangeKind.TRANSFER_IN: KindFacts(
        "transfer_in", frozenset({S.TRANSFERRED_OUT}), S.ENROLLED, "转入", "22"
    ),
    ChangeKind.WITHDRAW: KindFacts("withdraw", _ON_ROLL, S.WITHDRAWN, "退学", "31"),
    ChangeKind.EXPEL: KindFacts("expel", _ON_ROLL, S.EXPELLED, "开除学籍", "42"),
    ChangeKind.DIE: KindFacts("die", _OPEN, S.DECEASED, "死亡", "51"),
    ChangeKind.DEFER_ADMISSION: KindFacts(
        "defer_admission", frozenset({S.PENDING_ADMISSION}), S.ADMISSION_DEFERRED, "保留入学资格", "14"
    ),
    ChangeKind.TAKE_UP: KindFacts("take_up", _BEFORE_STUDY, S.ENROLLED, "恢复入学资格", "15"),
    ChangeKind.CANCEL: KindFacts("cancel", _OPEN, S.CANCELLED, "取消入学资格/学籍", "18"),
    ChangeKind.VOID: KindFacts("void", _OPEN, S.VOIDED, "注销"),
    ChangeKind.REINSTATE: KindFacts(
        "reinstate", frozenset({S.WITHDRAWN, S.EXPELLED, S.CANCELLED}), S.ENROLLED, "恢复学籍", "17"
    ),
    ChangeKind.REPEAT: KindFacts("repeat", _STUDYING, S.ENROLLED, "留级", "02", moves=True),
    ChangeKind.SKIP: KindFacts("skip", _STUDYING, S.ENROLLED, "跳级", "04", moves=True),
    # 26 (转系) where the departments of the two majors differ.
    ChangeKind.CHANGE_MAJOR: KindFacts(
        "change_major", _STUDYING, S.ENROLLED, "转专业", "23", changes_major=True
    ),
    ChangeKind.CORRECT: KindFacts("correct", frozenset(S), None, "更正", "99"),
    ChangeKind.GRADUATE: KindFacts("graduate", _STUDYING, S.GRADUATED, "毕业", by_graduation=True),
    ChangeKind.COMPLETE: KindFacts("complete", _STUDYING, S.COMPLETED, "结业", by_graduation=True),
    ChangeKind.LEAVE_INCOMPLETE: KindFacts(
        "leave_incomplete", _STUDYING, S.INCOMPLETE, "肄业", by_graduation=True
    ),
}
KIND_OF_OPERATION = {facts.operation: kind for kind, facts in KINDS.items() if not facts.by_graduation}
GRADUATION_STATUSES = frozenset(facts.after for facts in KINDS.values() if facts.by_graduation)
