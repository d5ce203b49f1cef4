"""The rules of a school that has not set its own, as data.

What a public source was found for names it; the rest says so, and a school checks it against its province's rules.
"""

from __future__ import annotations

from datetime import date

from archive_store.approvals.documents import Tier
from archive_store.foundation.stages import SchoolStage
from archive_store.status_changes.documents import ChangeRule, Prohibition, RulePack, StatusRules
from archive_store.students.change_kinds import ChangeKind
from archive_store.students.documents import StudentStatus

_COMPULSORY = frozenset({SchoolStage.PRIMARY, SchoolStage.JUNIOR, SchoolStage.SPECIAL})
_SCHOOLS = _COMPULSORY | {SchoolStage.SENIOR}
_HIGHER = frozenset({SchoolStage.UNDERGRAD, SchoolStage.POSTGRAD})
_2025 = "教基〔2025〕1号"
_ORDER = "教育部令第41号"
_HELD = "held by public copies of the text"
_PRACTICE = "provincial practice; varies"
_UNVERIFIED = "general knowledge; to be checked"


def _rule(pack: RulePack, change: ChangeKind, article: str, source: str, **told: object) -> ChangeRule:
    return ChangeRule.model_validate(
        {"pack": pack, "change": change, "article": article, "source": source} | told
    )


DEFAULT_STATUS_RULES: tuple[ChangeRule, ...] = (
    # 中小学
    _rule(
        RulePack.K12_2025,
        ChangeKind.WITHDRAW,
        f"{_2025}: 义务教育阶段不得退学",
        _HELD,
        stages=_COMPULSORY,
        is_forbidden=True,
    ),
    _rule(
        RulePack.K12_2025,
        ChangeKind.WITHDRAW,
        f"{_2025}: 普通高中由监护人申请",
        _HELD,
        stages={SchoolStage.SENIOR},
        materials={"退学申请书"},
        tier=Tier.VICE_PRINCIPAL,
    ),
    _rule(
        RulePack.K12_2025,
        ChangeKind.EXPEL,
        "义务教育法第二十七条",
        _UNVERIFIED,
        stages=_COMPULSORY,
        is_forbidden=True,
    ),
    *(
        _rule(
            RulePack.K12_2025,
            change,
            f"{_2025} 第十五条",
            _HELD,
            stages=_SCHOOLS,
            party_working_days=10,
            materials={"转学申请表"},
            tier=Tier.VICE_PRINCIPAL,
        )
        for change in (ChangeKind.TRANSFER_OUT, ChangeKind.TRANSFER_IN)
    ),
    _rule(
        RulePack.K12_2025,
        ChangeKind.TRANSFER_OUT,
        "休学期间、处分期内不予转学",
        _PRACTICE,
        stages=_SCHOOLS,
        from_statuses={StudentStatus.ENROLLED, StudentStatus.DROPPED_OUT},
        prohibitions={Prohibition.UNDER_SANCTION},
    ),
    _rule(
        RulePack.K12_2025,
        ChangeKind.SUSPEND,
        "休学一般为一学年,可延长一学年",
        _PRACTICE,
        stages=_SCHOOLS,
        longest_months=24,
    ),
    # 高等学校
    _rule(
        RulePack.ORDER_41,
        ChangeKind.DROP_OUT,
        f"{_ORDER}: 无此异动",
        _UNVERIFIED,
        stages=_HIGHER,
        is_forbidden=True,
    ),
    _rule(
        RulePack.ORDER_41,
        ChangeKind.TRANSFER_OUT,
        f"{_ORDER} 第二十二条",
        _HELD,
        stages=_HIGHER,
        prohibitions={Prohibition.FIRST_TERM},
        materials={"转学申请表", "成绩单"},
        tier=Tier.PRINCIPAL,
    ),
    _rule(
        RulePack.ORDER_41,
        ChangeKind.WITHDRAW,
        f"{_ORDER} 第三十条",
        _HELD,
        stages=_HIGHER,
        materials={"退学决定书"},
        tier=Tier.PRINCIPAL,
    ),
    _rule(
        RulePack.ORDER_41,
        ChangeKind.EXPEL,
        f"{_ORDER} 第五十一条",
        _HELD,
        stages=_HIGHER,
        materials={"处分决定书"},
        tier=Tier.PRINCIPAL,
    ),
    _rule(
        RulePack.K12_2025,
        ChangeKind.CHANGE_MAJOR,
        "义务教育阶段不设专业",
        _UNVERIFIED,
        stages=_COMPULSORY,
        is_forbidden=True,
    ),
    # Fair and publicised (公示); whom the school's own rules prefer or keep out is for its pack.
    _rule(
        RulePack.ORDER_41,
        ChangeKind.CHANGE_MAJOR,
        f"{_ORDER} 第二十一条",
        _HELD,
        stages=_HIGHER,
        materials={"转专业申请表", "公示证明"},
    ),
    _rule(
        RulePack.ORDER_41,
        ChangeKind.RETAIN_STATUS,
        f"{_ORDER} 第二十七条: 应征入伍保留至退役后两年",
        _HELD,
        stages=_HIGHER,
        materials={"入伍通知书"},
    ),
    # 学校, policy §四(一): transfer, withdrawal and reinstatement are major operations (重大操作等).
    *(
        _rule(
            RulePack.SCHOOL,
            change,
            "学校学籍管理制度 四(一)",
            "decision of this policy",
            tier=Tier.VICE_PRINCIPAL,
        )
        for change in (
            *(ChangeKind.TRANSFER_OUT, ChangeKind.TRANSFER_IN, ChangeKind.WITHDRAW, ChangeKind.EXPEL),
            *(ChangeKind.REINSTATE, ChangeKind.CANCEL, ChangeKind.VOID, ChangeKind.CORRECT),
        )
    ),
    _rule(
        RulePack.SCHOOL,
        ChangeKind.DIE,
        "学校学籍管理制度 三(一): 凭证明办理",
        "decision of this policy",
        materials={"死亡证明"},
    ),
)


def default_rules() -> StatusRules:
    return StatusRules(version=0, effective_from=date(1970, 1, 1), rules=DEFAULT_STATUS_RULES)
