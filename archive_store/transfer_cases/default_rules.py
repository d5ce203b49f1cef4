"""The routes of a school that has not set its own, as data; a school checks them against its province's rules."""

from __future__ import annotations

from datetime import date

from archive_store.foundation.stages import SchoolStage
from archive_store.transfer_cases.documents import (
    CaseRoute,
    Party,
    RouteStep,
    StepAct,
    TransferRoute,
    TransferRules,
)

_SCHOOLS = frozenset({SchoolStage.PRIMARY, SchoolStage.JUNIOR, SchoolStage.SENIOR, SchoolStage.SPECIAL})
_HIGHER = frozenset({SchoolStage.UNDERGRAD, SchoolStage.POSTGRAD})
_2025 = "教基〔2025〕1号 第十五条"
_ORDER = "教育部令第41号 第二十二至二十四条"
_DAYS_HELD = (
    "ten days: held by public copies of the text; order of the parties: guides to the national system"
)
_TO_CHECK = "public procedures of a university; the order and the three months are to be checked"


def _party(party: Party, act: StepAct = StepAct.CONSENT) -> RouteStep:
    return RouteStep(party=party, act=act, working_days=10)


_TEN_DAYS: dict[CaseRoute, tuple[RouteStep, ...]] = {
    CaseRoute.SAME_COUNTY: (
        _party(Party.RECEIVING_SCHOOL),
        _party(Party.SENDING_SCHOOL, StepAct.TRANSFER),
        _party(Party.AUTHORITY),
    ),
    CaseRoute.CROSS_COUNTY: (
        _party(Party.RECEIVING_SCHOOL),
        _party(Party.RECEIVING_AUTHORITY),
        _party(Party.SENDING_SCHOOL, StepAct.TRANSFER),
        _party(Party.SENDING_AUTHORITY),
    ),
    CaseRoute.CROSS_PROVINCE: (
        _party(Party.RECEIVING_SCHOOL),
        _party(Party.RECEIVING_AUTHORITY),
        _party(Party.MOE_PLATFORM),
        _party(Party.SENDING_SCHOOL, StepAct.TRANSFER),
        _party(Party.SENDING_AUTHORITY),
    ),
}
_BOTH_SCHOOLS = (
    RouteStep(party=Party.SENDING_SCHOOL),
    RouteStep(party=Party.RECEIVING_SCHOOL, act=StepAct.DECISION),
)
_BOTH_PROVINCES = (
    RouteStep(party=Party.SENDING_AUTHORITY),
    RouteStep(party=Party.RECEIVING_AUTHORITY),
)
_AFTER_DECISION = (
    RouteStep(party=Party.RECEIVING_SCHOOL, act=StepAct.PUBLICITY),
    RouteStep(party=Party.SENDING_SCHOOL, act=StepAct.TRANSFER),
    RouteStep(party=Party.RECEIVING_SCHOOL, act=StepAct.FILING, months=3),
)

DEFAULT_ROUTES: tuple[TransferRoute, ...] = (
    *(
        TransferRoute(route=route, stages=_SCHOOLS, steps=steps, article=_2025, source=_DAYS_HELD)
        for route, steps in _TEN_DAYS.items()
    ),
    TransferRoute(
        route=CaseRoute.HIGHER_EDUCATION,
        stages=_HIGHER,
        steps=(*_BOTH_SCHOOLS, *_AFTER_DECISION),
        article=_ORDER,
        source=_TO_CHECK,
    ),
    TransferRoute(
        route=CaseRoute.HIGHER_EDUCATION_CROSS_PROVINCE,
        stages=_HIGHER,
        steps=(*_BOTH_SCHOOLS, *_BOTH_PROVINCES, *_AFTER_DECISION),
        article=_ORDER,
        source=_TO_CHECK,
    ),
)


def default_rules() -> TransferRules:
    return TransferRules(version=0, effective_from=date(1970, 1, 1), rules=DEFAULT_ROUTES)
