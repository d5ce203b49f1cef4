"""The rules of status changes: pure, with sequences by chance, and on the store."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from bson import ObjectId
from hypothesis import given, settings
from hypothesis import strategies as st

from archive_store.approvals.default_rules import DEFAULT_APPROVAL_RULES
from archive_store.approvals.documents import Tier
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.stages import SchoolStage
from archive_store.status_changes.default_rules import DEFAULT_STATUS_RULES
from archive_store.status_changes.documents import Prohibition, rules_for
from archive_store.status_changes.kinds import KINDS, TERMINAL_STATUSES
from archive_store.status_changes.operations import operation_of
from archive_store.status_changes.previews import preview_change
from archive_store.status_changes.rules import RecordFacts, Requirement, findings, refusal
from archive_store.students.change_kinds import ChangeKind
from archive_store.students.documents import StatusPeriod, StudentStatus
from archive_store.students.status import StatusChange
from archive_store.students.status_periods import Cause, in_force, with_correction, with_status
from tests.conduct.cases import impose
from tests.organisation.structure import FIRST, THIRD, build, open_class
from tests.organisation.structure import done as done_in_structure
from tests.school import School
from tests.status_changes.changes import asked, day, done, paper, signed

FIRST_DAY = date(2023, 9, 1)
AT = datetime(2026, 9, 1, tzinfo=UTC)
MATERIALS = frozenset(material for rule in DEFAULT_STATUS_RULES for material in rule.materials)


def facts(**changed: object) -> RecordFacts:
    period = StatusPeriod(status=StudentStatus.ENROLLED, effective_from=FIRST_DAY, recorded_at=AT)
    held = {
        "status": StudentStatus.ENROLLED,
        "periods": [period],
        "enrolled_month": "2023-09",
        "stage": SchoolStage.JUNIOR,
        "is_under_sanction": False,
        "materials": MATERIALS,
        "chain": tuple(Tier),
    }
    return RecordFacts(**{**held, **changed})  # type: ignore[arg-type]


def unmet(
    kind: ChangeKind, held: RecordFacts, on: date = date(2024, 3, 1), until: date | None = None
) -> set[str]:
    rules = rules_for(DEFAULT_STATUS_RULES, kind, held.stage)
    return {f.requirement.value for f in findings(kind, held, rules, day=on, until=until) if not f.is_met}


def test_every_kind_has_facts_and_a_chain_that_its_rules_accept() -> None:
    assert set(KINDS) == set(ChangeKind)
    chains = {rule.operation: rule.chain for rule in DEFAULT_APPROVAL_RULES}
    order = list(Tier)
    for rule in DEFAULT_STATUS_RULES:
        if rule.tier is not None and rule.tier is not Tier.PRINCIPAL:
            chain = chains[KINDS[rule.change].operation]
            assert max(order.index(tier) for tier in chain) >= order.index(rule.tier), rule


@pytest.mark.parametrize(
    ("kind", "changed", "requirement"),
    [
        (ChangeKind.WITHDRAW, {}, "STAGE"),
        (ChangeKind.EXPEL, {"stage": SchoolStage.PRIMARY}, "STAGE"),
        (ChangeKind.DROP_OUT, {"stage": SchoolStage.UNDERGRAD}, "STAGE"),
        (ChangeKind.TRANSFER_OUT, {"is_under_sanction": True}, "UNDER_SANCTION"),
        (ChangeKind.TRANSFER_OUT, {"materials": frozenset()}, "MATERIALS"),
        (ChangeKind.TRANSFER_OUT, {"status": StudentStatus.SUSPENDED}, "STATUS"),
        (ChangeKind.TRANSFER_OUT, {"chain": (Tier.DEPARTMENT_HEAD,)}, "TIER"),
        (ChangeKind.RESUME, {}, "STATUS"),
        (ChangeKind.WITHDRAW, {"stage": SchoolStage.SENIOR, "materials": frozenset()}, "MATERIALS"),
    ],
)
def test_what_is_not_met(kind: ChangeKind, changed: dict[str, object], requirement: str) -> None:
    held = facts(**changed)
    assert requirement in unmet(kind, held)
    rules = rules_for(DEFAULT_STATUS_RULES, kind, held.stage)
    assert refusal(findings(kind, held, rules, day=date(2024, 3, 1), until=None), held) is not None


def test_a_transfer_in_the_first_term_of_higher_education() -> None:
    held = facts(stage=SchoolStage.UNDERGRAD)
    assert unmet(ChangeKind.TRANSFER_OUT, held, date(2023, 12, 1)) == {"FIRST_TERM"}
    assert unmet(ChangeKind.TRANSFER_OUT, held, date(2024, 4, 1)) == set()
    rule = next(rule for rule in DEFAULT_STATUS_RULES if Prohibition.FIRST_TERM in rule.prohibitions)
    assert "第二十二条" in rule.article


def test_suspensions_add_up_to_two_years() -> None:
    begun, until = date(2024, 3, 1), date(2025, 2, 28)
    assert unmet(ChangeKind.SUSPEND, facts(), begun, until) == set()
    assert unmet(ChangeKind.SUSPEND, facts(), begun, date(2026, 4, 30)) == {"LENGTH"}
    periods = with_status(facts().periods, StudentStatus.SUSPENDED, begun, AT)
    periods = with_status(periods, StudentStatus.ENROLLED, until + timedelta(days=1), AT)
    again = facts(periods=periods)
    assert unmet(ChangeKind.SUSPEND, again, date(2025, 9, 1), date(2026, 7, 1)) == set()
    assert unmet(ChangeKind.SUSPEND, again, date(2025, 9, 1), date(2026, 12, 31)) == {"LENGTH"}


def test_a_suspension_whose_length_counts_has_its_last_day() -> None:
    begun = date(2024, 3, 1)
    rules = rules_for(DEFAULT_STATUS_RULES, ChangeKind.SUSPEND, SchoolStage.JUNIOR)
    error = refusal(findings(ChangeKind.SUSPEND, facts(), rules, day=begun, until=None), facts())
    assert error is not None
    assert (error.code, error.field) == (ErrorCode.REQUIRED, "until")
    # Where no rule counts, there is nothing to hold it against.
    for stage in (SchoolStage.UNDERGRAD, None):
        assert unmet(ChangeKind.SUSPEND, facts(stage=stage), begun) == set()


def test_a_suspension_that_runs_counts_to_the_day() -> None:
    (rule,) = rules_for(DEFAULT_STATUS_RULES, ChangeKind.SUSPEND, SchoolStage.JUNIOR)
    rule = rule.model_copy(update={"change": ChangeKind.RETAIN_STATUS, "longest_months": 12})
    begun = date(2024, 3, 1)
    periods = with_status(facts().periods, StudentStatus.SUSPENDED, begun, AT)
    held = facts(status=StudentStatus.SUSPENDED, periods=periods)
    for days, is_met in ((0, True), (366, True), (367, False)):
        on = begun + timedelta(days=days)
        found = findings(ChangeKind.RETAIN_STATUS, held, [rule], day=on, until=None)
        assert [one.is_met for one in found if one.requirement is Requirement.LENGTH] == [is_met]


def test_a_known_stage_adds_rules_and_an_unknown_one_has_the_school_s_own() -> None:
    assert unmet(ChangeKind.WITHDRAW, facts(stage=None, materials=frozenset())) == set()
    assert all(not rule.stages for rule in rules_for(DEFAULT_STATUS_RULES, ChangeKind.WITHDRAW, None))


steps = st.lists(
    st.tuples(st.sampled_from(ChangeKind), st.integers(-400, 900), st.sampled_from(StudentStatus)),
    max_size=25,
)


@settings(max_examples=400, deadline=None)
@given(steps, st.sampled_from([*SchoolStage, None]))
def test_no_sequence_reaches_an_illegal_status_or_breaks_the_intervals(
    asked_for: list[tuple[ChangeKind, int, StudentStatus]], stage: SchoolStage | None
) -> None:
    held = facts(stage=stage)
    periods, status = list(held.periods), held.status
    for number, (kind, days, corrected) in enumerate(asked_for):
        on = FIRST_DAY + timedelta(days=days)
        now = facts(stage=stage, status=status, periods=periods)
        found = findings(kind, now, rules_for(DEFAULT_STATUS_RULES, kind, stage), day=on, until=None)
        error = refusal(found, now)
        after = KINDS[kind].after or corrected
        write = with_correction if kind is ChangeKind.CORRECT else with_status
        at = AT + timedelta(minutes=number)
        try:
            written = write(periods, after, on, at, Cause(kind, ObjectId()))
        except RegistrarError as refused:
            assert refused.code is ErrorCode.INVALID_DATE
            assert error is not None, "what the ledger refuses, the rules do"
            continue
        if error is not None:
            continue
        assert status in KINDS[kind].before
        if kind is not ChangeKind.CORRECT and status in TERMINAL_STATUSES:
            assert kind in (ChangeKind.TRANSFER_IN, ChangeKind.REINSTATE)
        # Nothing recorded is removed, and of what is superseded only that is added.
        assert len(written) > len(periods)
        for old, new in zip(periods, written, strict=False):
            assert old.model_copy(update={"superseded_at": new.superseded_at}) == new
        periods, status = written, after
        chain = in_force(periods)
        assert chain[0].effective_from == FIRST_DAY
        assert chain[-1].effective_to is None
        assert chain[-1].status is status
        assert [p for p in chain if p.effective_to is None] == [chain[-1]]
        for one, other in pairwise(chain):
            assert one.effective_to is not None
            assert one.effective_from <= one.effective_to
            assert one.effective_to + timedelta(days=1) == other.effective_from


async def code(awaited: object) -> ErrorCode:
    with pytest.raises(RegistrarError) as caught:
        await awaited  # type: ignore[misc]
    return caught.value.code


async def test_a_paper_that_lacks_is_named_and_one_that_is_there_serves(school: School) -> None:
    await build(school)
    assert await code(asked(school, ChangeKind.DIE, day(school))) is ErrorCode.MATERIALS_MISSING
    other = await paper(school, "死亡证明", position=1)
    assert await code(asked(school, ChangeKind.DIE, day(school), materials=[other])) is ErrorCode.NOT_FOUND
    own = await paper(school, "死亡证明")
    await done(school, ChangeKind.DIE, day(school), materials=[own])
    assert (await school.student()).status is StudentStatus.DECEASED


async def test_what_a_kind_does_not_have_or_lacks(school: School) -> None:
    await build(school)
    today = day(school)
    for told in ({"to_class": THIRD}, {"status": "GRADUATED"}):
        assert await code(asked(school, ChangeKind.SUSPEND, today, **told)) is ErrorCode.INVALID_ARGUMENT
    assert await code(asked(school, ChangeKind.CORRECT, today)) is ErrorCode.REQUIRED
    assert await code(asked(school, ChangeKind.REPEAT, today)) is ErrorCode.REQUIRED
    assert await code(asked(school, ChangeKind.REPEAT, today, to_class="没有的班")) is ErrorCode.UNKNOWN_CODE
    own = (await school.student()).class_name
    assert own == FIRST
    assert await code(asked(school, ChangeKind.REPEAT, today, to_class=own)) is ErrorCode.NOTHING_TO_CHANGE
    assert (
        await code(asked(school, ChangeKind.SUSPEND, today, until=day(school, -1))) is ErrorCode.INVALID_DATE
    )


async def test_no_transfer_while_a_sanction_is_in_force(school: School) -> None:
    await build(school)
    student, form = await school.student(), await paper(school, "转学申请表")
    await asked(school, ChangeKind.TRANSFER_OUT, day(school), materials=[form])
    await impose(school, student.key)
    refused = asked(school, ChangeKind.TRANSFER_OUT, day(school), materials=[form])
    assert await code(refused) is ErrorCode.RULE_FORBIDS


async def test_no_way_around_the_credential_audit(school: School) -> None:
    for kind in (ChangeKind.GRADUATE, ChangeKind.COMPLETE, ChangeKind.LEAVE_INCOMPLETE):
        with pytest.raises(RegistrarError) as caught:
            operation_of(kind)
        assert caught.value.code is ErrorCode.RULE_FORBIDS
        assert KINDS[kind].operation not in school.store.operations
    told = {"status": "GRADUATED"}
    assert await code(asked(school, ChangeKind.CORRECT, day(school), **told)) is ErrorCode.RULE_FORBIDS


async def test_the_rules_are_asked_again_where_it_applies(school: School) -> None:
    await build(school)
    key = await asked(school, ChangeKind.HALT, day(school))
    await done(school, ChangeKind.SUSPEND, day(school, -1))
    assert await code(signed(school, key)) in (ErrorCode.CONFLICT, ErrorCode.WRONG_STATE)
    assert (await school.student()).status is StudentStatus.SUSPENDED


async def test_a_correction_supersedes_what_followed(school: School) -> None:
    await done(school, ChangeKind.SUSPEND, day(school, -30))
    await done(school, ChangeKind.RESUME, day(school, -10))
    await done(school, ChangeKind.CORRECT, day(school, -40), status="STATUS_RETAINED")
    student = await school.student()
    spans = [(held.status.value, held.cause) for held in in_force(student.status_periods)]
    assert spans == [("ENROLLED", None), ("STATUS_RETAINED", ChangeKind.CORRECT)]
    assert len(student.status_periods) == 7


async def test_a_preview_is_for_those_who_may_ask(school: School) -> None:
    await build(school)
    student = await school.student()
    payload = StatusChange(student_id=student.id, effective_from=day(school))
    preview = await preview_change(
        school.store, await school.viewer("information"), ChangeKind.TRANSFER_OUT, payload
    )
    assert not preview.is_allowed
    (lacks,) = [finding for finding in preview.findings if not finding.is_met]
    assert (lacks.requirement, lacks.missing) == (Requirement.MATERIALS, ("转学申请表",))
    assert preview.tiers == [Tier.DEPARTMENT_HEAD, Tier.VICE_PRINCIPAL]
    assert preview.parties_due is not None
    assert preview.parties_due >= day(school, 11)
    for subject in ("teacher", "logistics", "principal"):
        viewer = await school.viewer(subject)
        assert (
            await code(preview_change(school.store, viewer, ChangeKind.HALT, payload)) is ErrorCode.FORBIDDEN
        )


async def test_a_record_that_was_merged_is_changed_by_the_end_of_the_merge(school: School) -> None:
    student = await school.student()
    students = school.store.database.collection(type(student))
    await students.update_one(
        {"_id": student.key}, {"$set": {"merged_into": ObjectId(), "status": StudentStatus.VOIDED.value}}
    )
    refused = asked(school, ChangeKind.CORRECT, day(school), status="ENROLLED")
    assert await code(refused) is ErrorCode.WRONG_STATE


async def test_a_correction_goes_around_nothing_that_it_imitates(school: School) -> None:
    await build(school)
    expelled = asked(school, ChangeKind.CORRECT, day(school), status="EXPELLED")
    assert await code(expelled) is ErrorCode.RULE_FORBIDS
    deceased = asked(school, ChangeKind.CORRECT, day(school), status="DECEASED")
    assert await code(deceased) is ErrorCode.MATERIALS_MISSING


async def test_who_goes_on_has_a_place_in_a_class_of_the_stage_and_no_seat(school: School) -> None:
    keys = await build(school, capacity=45)
    other = ObjectId()
    grades = ({"label": "高一", "valid_from": "2023-09-01"},)
    cohort = {"name": "高2023级", "stage": "SENIOR", "enrolled_year": 2023, "grades": grades}
    await done_in_structure(school, "cohort.open", {"cohort_id": other, **cohort})
    await open_class(school, {**keys, "cohort": other}, "高一1班")
    refused = asked(school, ChangeKind.SKIP, day(school), to_class="高一1班")
    assert await code(refused) is ErrorCode.UNKNOWN_CODE
    await open_class(school, keys, "2023级9班", capacity=1)
    await done(school, ChangeKind.SKIP, day(school), to_class="2023级9班")
    student = next(s for s in [await school.student(n) for n in range(3)] if s.class_name == "2023级9班")
    assert student.class_seat_number is None
    full = asked(school, ChangeKind.SKIP, day(school), position=1, to_class="2023级9班")
    assert await code(full) is ErrorCode.OUT_OF_RANGE


async def test_a_preview_tells_of_sanctions_to_who_reads_of_them(school: School) -> None:
    await build(school)
    student = await school.student()
    await impose(school, student.key)
    payload = StatusChange(student_id=student.id, effective_from=day(school))
    told = {}
    for subject in ("director", "deputy-2"):
        viewer = await school.viewer(subject)
        preview = await preview_change(school.store, viewer, ChangeKind.TRANSFER_OUT, payload)
        told[subject] = {finding.requirement for finding in preview.findings}
    assert Requirement.UNDER_SANCTION in told["director"]
    assert Requirement.UNDER_SANCTION not in told["deputy-2"]
