"""信息采集: `admission.supply`, policy §三(一): candidates from the admissions office, a file, or a feed.

What is supplied again under the same reference changes the case that it opened, so that a file or a feed can be sent
twice. Where each value came from is kept by field.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any

from beanie import PydanticObjectId
from bson import ObjectId
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from archive_store.access.rules import Scope
from archive_store.access.viewer import Viewer
from archive_store.admission.applicants import (
    Applicant,
    check_applicant,
    differing,
    given,
    stored_values,
)
from archive_store.admission.documents import AdmissionCase, CaseStatus, Channel, SchoolStage, Supply
from archive_store.admission.numbers import check_numbers, lookups_of
from archive_store.admission.rules import RULE, SUPPLIERS, channel_of
from archive_store.admission.steps import (
    write,
)
from archive_store.approvals.operation import Operation, Payload
from archive_store.approvals.operations import payload_of, perform
from archive_store.foundation.database import Row
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.field_classes import encrypted_paths
from archive_store.foundation.posts import Post
from archive_store.foundation.records import bson_value
from archive_store.foundation.store import Store
from archive_store.foundation.unit_of_work import FieldChange, Subject, UnitOfWork
from archive_store.students.changes import StudentChanges
from archive_store.students.registration import STUDENT_NUMBERS

_OF_APPLICANT = "applicant."
SUPPLY_LIMIT = 200  # of one transaction
_Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]
_Cohort = Annotated[int, Field(ge=1900, le=2200)]


class Supplied(BaseModel):
    """One candidate: the fields that are set, and the source's own key."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    reference: _Line | None = None
    applicant: StudentChanges

    @property
    def values(self) -> dict[str, Any]:
        return self.applicant.stored


class AdmissionSupply(Payload):
    """Payload of `admission.supply`: candidates of one stage and cohort, all or none."""

    stage: SchoolStage
    cohort: _Cohort
    batch: _Line | None = None
    channel: Channel
    origin: _Line | None = None
    applicants: Annotated[tuple[Supplied, ...], Field(min_length=1, max_length=SUPPLY_LIMIT)]


class SupplyOutcome(StrEnum):
    OPENED = "OPENED"
    CHANGED = "CHANGED"
    UNCHANGED = "UNCHANGED"


@dataclass(frozen=True, slots=True)
class Source:
    """Where candidates come from, and what they are admitted to."""

    stage: SchoolStage
    cohort: int
    channel: Channel
    batch: str | None = None
    origin: str | None = None
    import_id: ObjectId | None = None


async def supply(
    store: Store,
    viewer: Viewer,
    *,
    stage: SchoolStage,
    cohort: int,
    applicants: Sequence[Mapping[str, Any]],
    batch: str | None = None,
    origin: str | None = None,
) -> list[tuple[ObjectId, SupplyOutcome]]:
    """Open a case for each candidate, or change the one of its reference; in their order.

    Raises, naming the candidate by place, DUPLICATE for one who is on record or has a case already, WRONG_STATE where
    the case of a reference is past collection, and what the rules of student records refuse.
    """
    values = {
        "stage": stage,
        "cohort": cohort,
        "batch": batch,
        "origin": origin,
        "channel": channel_of(viewer),
        "applicants": list(applicants),
    }
    outcome = await perform(store, viewer, "admission.supply", payload_of(AdmissionSupply, values))
    result: list[tuple[ObjectId, SupplyOutcome]] = outcome.result
    return result


async def _check_supply(store: Store, viewer: Viewer, payload: AdmissionSupply) -> None:
    if payload.channel is not channel_of(viewer):
        raise RegistrarError(ErrorCode.FORBIDDEN, field="channel", rule=RULE)
    known = await _numbers_by_reference(store, payload)
    seen: set[str] = set()
    for place, item in enumerate(payload.applicants):
        if item.reference is not None and item.reference in seen:
            raise RegistrarError(
                ErrorCode.DUPLICATE, field=f"applicants.{place}.reference", others="applicants"
            )
        seen |= {item.reference} if item.reference else set()
    numbers: dict[int, Mapping[str, Any]] = {}
    for place, item in enumerate(payload.applicants):
        values = item.values
        if item.reference is None or item.reference not in known:
            check_applicant(values, values, field=f"applicants.{place}.applicant")
            numbers[place] = values
        elif (held := known[item.reference]) is not None:
            numbers[place] = {
                name: values[name]
                for name in STUDENT_NUMBERS
                if values.get(name) and held.isdisjoint(lookups_of(store, {name: values[name]}))
            }
    await check_numbers(store, viewer, numbers, purpose="admission.supply")


async def _numbers_by_reference(store: Store, payload: AdmissionSupply) -> dict[str, set[str] | None]:
    """The lookups that the case of each reference holds; None where it takes no changes any more."""
    rows = store.database.collection(AdmissionCase).find(
        _of_references(payload), {"reference": 1, "status": 1, "lookups": 1}
    )
    return {
        row["reference"]: set(row["lookups"]) if row["status"] == CaseStatus.COLLECTING.value else None
        async for row in rows
    }


def _of_references(payload: AdmissionSupply) -> Row:
    references = [item.reference for item in payload.applicants if item.reference is not None]
    # A key counts within its stage and year: the next year's list begins at 1 again.
    return {"stage": payload.stage, "cohort": payload.cohort, "reference": {"$in": references}}


async def _apply_supply(unit: UnitOfWork, payload: AdmissionSupply) -> list[tuple[ObjectId, SupplyOutcome]]:
    source = Source(payload.stage, payload.cohort, payload.channel, payload.batch, payload.origin)
    rows = unit.store.database.collection(AdmissionCase).find(_of_references(payload), session=unit.session)
    known = {row["reference"]: await unit.decrypted(AdmissionCase, row) for row in await rows.to_list()}
    outcomes: dict[int, tuple[ObjectId, SupplyOutcome]] = {}
    fresh: dict[int, Supplied] = {}
    for place, item in enumerate(payload.applicants):
        case = known.get(item.reference) if item.reference is not None else None
        if case is None:
            fresh[place] = item
        else:
            changed = await _supply_again(unit, case, item, source, f"applicants.{place}")
            outcomes[place] = (case.key, SupplyOutcome.CHANGED if changed else SupplyOutcome.UNCHANGED)
    keys = await open_cases(
        unit, [item.values for item in fresh.values()], source, [item.reference for item in fresh.values()]
    )
    outcomes |= {place: (key, SupplyOutcome.OPENED) for place, key in zip(fresh, keys, strict=True)}
    return [outcomes[place] for place in sorted(outcomes)]


async def open_cases(
    unit: UnitOfWork,
    applicants: Sequence[Mapping[str, Any]],
    source: Source,
    references: Sequence[str | None] | None = None,
) -> list[ObjectId]:
    """A case for each candidate, given by fields of the student record in the stored shape; the keys in order.

    The values must have been checked. DUPLICATE where another case has a number of theirs.
    """
    cases = [
        AdmissionCase(
            student_id=PydanticObjectId(),
            reference=reference,
            import_id=PydanticObjectId(source.import_id) if source.import_id else None,
            stage=source.stage,
            cohort=source.cohort,
            batch=source.batch,
            applicant=Applicant.model_validate(given(values)),
            lookups=lookups_of(unit.store, values),
            supplies=[_supply_of(unit, source, given(values))],
        )
        for values, reference in zip(applicants, references or [None] * len(applicants), strict=True)
    ]
    await unit.insert(*cases)
    for case in cases:
        told = [
            FieldChange(name, None, bson_value(getattr(case, name))) for name in ("stage", "cohort", "batch")
        ]
        values = stored_values(case.applicant)
        told += [FieldChange(f"applicant.{name}", None, value) for name, value in values.items()]
        unit.audit(Subject(AdmissionCase.subject_type, case.key), "admission:supply", told)
    return [case.key for case in cases]


def _supply_of(unit: UnitOfWork, source: Source, values: Iterable[str]) -> Supply:
    return Supply(
        channel=source.channel,
        origin=source.origin,
        supplied_by=PydanticObjectId(unit.actor.person_id) if unit.actor.person_id else None,
        supplied_by_name=unit.actor.name,
        at=unit.at,
        fields=sorted(values),
    )


async def _supply_again(
    unit: UnitOfWork, case: AdmissionCase, item: Supplied, source: Source, place: str
) -> bool:
    held = case.applicant.model_dump(mode="json")
    changed = differing(held, item.values) | told_by_others(unit, case, item.values)
    if not changed:
        return False
    if case.status is not CaseStatus.COLLECTING:
        raise RegistrarError(ErrorCode.WRONG_STATE, field=f"{place}.reference", rule=RULE, state=case.status)
    check_applicant(changed, held | changed, field=f"{place}.applicant")
    await change_values(unit, case, changed, source, "supply")
    return True


def told_by_others(unit: UnitOfWork, case: AdmissionCase, values: Mapping[str, Any]) -> dict[str, Any]:
    """Sensitive values that somebody else supplied: that one is as it was would confirm a guess at it."""
    sensitive = {
        path.split(".")[1] for path in encrypted_paths(AdmissionCase) if path.startswith(_OF_APPLICANT)
    }
    last = {name: supply.supplied_by for supply in case.supplies for name in supply.fields}
    return {
        name: value
        for name, value in given(values).items()
        if name in sensitive and last.get(name) != unit.actor.person_id
    }


async def change_values(
    unit: UnitOfWork, case: AdmissionCase, changed: Mapping[str, Any], source: Source, verb: str
) -> None:
    """Write fields of the candidate, and from where they came."""
    held = case.applicant.model_dump(mode="json")
    applicant = Applicant.model_validate({**held, **changed})
    values: dict[str, Any] = {
        "applicant": applicant,
        "supplies": [*_still_telling(case, changed), _supply_of(unit, source, changed)],
    }
    if not STUDENT_NUMBERS.keys().isdisjoint(changed):
        values["lookups"] = lookups_of(unit.store, stored_values(applicant))
    changes = [FieldChange(f"applicant.{name}", held[name], value) for name, value in changed.items()]
    await write(unit, case, verb, values, changes=changes)


def _still_telling(case: AdmissionCase, changed: Iterable[str]) -> list[Supply]:
    """What still tells of a field where it came from; what came before stands in the history."""
    left = [(held, [name for name in held.fields if name not in changed]) for held in case.supplies]
    return [held.model_copy(update={"fields": names}) for held, names in left if names]


def _feeds(viewer: Viewer) -> bool:
    """A program of the admissions office, with the scope for it."""
    holds = viewer.is_service and viewer.has_scope(Scope.ADMISSION_SUPPLY)
    return holds and Post.ADMISSIONS in viewer.posts


ADMISSION_SUPPLY = Operation(
    name="admission.supply",
    record_type=AdmissionCase,
    payload=AdmissionSupply,
    requesters=SUPPLIERS,
    subject=lambda payload: Subject(AdmissionCase.subject_type, ObjectId()),
    requested_values=lambda payload: {"stage": payload.stage, "cohort": payload.cohort},
    fields=lambda payload: frozenset({"applicant"}),
    check=_check_supply,
    apply=_apply_supply,
    applies_at_once=True,
    also_open_to=_feeds,
)
