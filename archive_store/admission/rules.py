"""Admission, pure: who may do what in which state, what a signature is bound to. Policy §三(一): no skipped step."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any

from bson import ObjectId

from archive_store.access.policy import AccessPolicy
from archive_store.access.viewer import Viewer
from archive_store.admission.applicants import APPLICANT_FIELDS
from archive_store.admission.documents import (
    AdmissionCase,
    Capacity,
    CaseStatus,
    Channel,
    ReviewSignature,
    Seat,
)
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.posts import Post
from archive_store.foundation.unit_of_work import Actor
from archive_store.students.documents import StudentStatus

RULE = "policy §三(一)"
# 招生办 supplies the basics (§一(一)), the information group collects (§二(一)).
SUPPLIERS = frozenset({Post.ADMISSIONS, Post.INFORMATION_GROUP, Post.DIRECTOR})
EVIDENCE_GIVERS = SUPPLIERS | {Post.ARCHIVE_GROUP}
ENTERERS = frozenset({Post.INFORMATION_GROUP})
CONFIRMATION_CALLERS = frozenset({Post.INFORMATION_GROUP, Post.DIRECTOR})
# Who writes down what a family says at school; a teacher of their homeroom's students only.
WITNESSES = frozenset({Post.INFORMATION_GROUP, Post.TEACHER})
REVIEWERS: Mapping[Post, Seat] = {
    Post.ACADEMIC_AFFAIRS: Seat.ACADEMIC_AFFAIRS,
    Post.DIRECTOR: Seat.DEPARTMENT,
    Post.DEPUTY_DIRECTOR: Seat.DEPARTMENT,
}


class AdmissionAction(StrEnum):
    """What can be done with a case."""

    AMEND = "AMEND"
    ADD_EVIDENCE = "ADD_EVIDENCE"
    SUBMIT = "SUBMIT"
    REVIEW = "REVIEW"
    REOPEN = "REOPEN"
    ENTER = "ENTER"
    CALL_CONFIRMATION = "CALL_CONFIRMATION"
    CONFIRM = "CONFIRM"
    OBJECT = "OBJECT"
    CORRECT = "CORRECT"


_COLLECTING, _IN_REVIEW, _FAILED, _READY, _ENTERED, _AWAITING, _OBJECTED, _CORRECTED, _CONFIRMED = CaseStatus
_TO_BE_CONFIRMED = frozenset({_AWAITING, _OBJECTED, _CORRECTED})
_FROM: Mapping[AdmissionAction, frozenset[CaseStatus]] = {
    AdmissionAction.AMEND: frozenset({_COLLECTING}),
    AdmissionAction.ADD_EVIDENCE: frozenset({_COLLECTING}),
    AdmissionAction.SUBMIT: frozenset({_COLLECTING}),
    AdmissionAction.REVIEW: frozenset({_IN_REVIEW}),
    AdmissionAction.REOPEN: frozenset({_FAILED}),
    AdmissionAction.ENTER: frozenset({_READY}),
    AdmissionAction.CALL_CONFIRMATION: frozenset({_ENTERED}),
    AdmissionAction.CONFIRM: _TO_BE_CONFIRMED,
    AdmissionAction.OBJECT: _TO_BE_CONFIRMED,
    AdmissionAction.CORRECT: frozenset({_OBJECTED}),
}


def require_state(case: AdmissionCase, action: AdmissionAction) -> None:
    """WRONG_STATE where the action is none of this state's."""
    if case.status not in _FROM[action]:
        raise RegistrarError(ErrorCode.WRONG_STATE, field="id", rule=RULE, state=case.status)


def posts_for(action: AdmissionAction) -> frozenset[Post]:
    """The posts whose holders may, whatever the case."""
    match action:
        case AdmissionAction.AMEND | AdmissionAction.SUBMIT | AdmissionAction.REOPEN:
            return SUPPLIERS
        case AdmissionAction.ADD_EVIDENCE:
            return EVIDENCE_GIVERS
        case AdmissionAction.REVIEW:
            return frozenset(REVIEWERS)
        case AdmissionAction.ENTER:
            return ENTERERS
        case AdmissionAction.CALL_CONFIRMATION:
            return CONFIRMATION_CALLERS
        case AdmissionAction.CORRECT:
            return frozenset({Post.INFORMATION_GROUP, Post.DEPUTY_DIRECTOR, Post.DIRECTOR})
    return WITNESSES


def covers_admission(policy: AccessPolicy, business_lines: Collection[str]) -> bool:
    """Whether one of a deputy director's lines (分管) is that of those who are to be admitted."""
    pending = StudentStatus.PENDING_ADMISSION.value
    lines = [line for name in business_lines if (line := policy.rules.business_lines.get(name))]
    return any(
        "Student" in line.record_types and (line.student_statuses is None or pending in line.student_statuses)
        for line in lines
    )


def seats_of(viewer: Viewer) -> list[Seat]:
    """The seats of the review that the viewer may sign in; a deputy director where admission is their line."""
    held = [
        seat
        for post, seat in REVIEWERS.items()
        if post in viewer.posts
        and (post is not Post.DEPUTY_DIRECTOR or covers_admission(viewer.policy, viewer.business_lines))
    ]
    return [] if viewer.is_service else list(dict.fromkeys(held))


def require_seat(case: AdmissionCase, actor_id: ObjectId | None, seats: Sequence[Seat]) -> Seat:
    """The seat to sign in; FORBIDDEN without one, SELF_APPROVAL for who submitted or signed the other, WRONG_STATE."""
    require_state(case, AdmissionAction.REVIEW)
    if not seats:
        raise RegistrarError(ErrorCode.FORBIDDEN, rule=RULE)
    if actor_id == case.submitted_by or any(s.signed_by == actor_id for s in case.current_signatures):
        raise RegistrarError(ErrorCode.SELF_APPROVAL, rule=RULE)
    signed = {signature.seat for signature in case.current_signatures}
    free = [seat for seat in seats if seat not in signed]
    if not free:
        raise RegistrarError(ErrorCode.WRONG_STATE, field="id", rule=RULE, state="SEAT_SIGNED")
    return free[0]


def after_signature(signatures: Sequence[ReviewSignature]) -> CaseStatus:
    """One who finds against it ends the review; both seats must find for it."""
    if any(not signature.passed for signature in signatures):
        return CaseStatus.REVIEW_FAILED
    passed = {signature.seat for signature in signatures}
    return CaseStatus.READY_FOR_ENTRY if passed == set(Seat) else CaseStatus.IN_REVIEW


def missing_evidence(held: Collection[str], required: Collection[str]) -> list[str]:
    """The required document types (必备材料) of which there is none among the types held."""
    return sorted(set(required) - set(held))


def sources_by_field(supplies: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Of each field that was supplied, the place of the stored supply that it came with last."""
    return {field: place for place, supply in enumerate(supplies) for field in supply["fields"]}


def channel_of(viewer: Viewer) -> Channel:
    """From where it comes what this viewer supplies by hand, or by program."""
    if viewer.is_service:
        return Channel.FEED
    if Post.ADMISSIONS in viewer.posts and Post.INFORMATION_GROUP not in viewer.posts:
        return Channel.ADMISSIONS_OFFICE
    return Channel.INFORMATION_GROUP


def capacity_of(viewer: Viewer, case: AdmissionCase, is_of_homeroom: bool) -> Capacity | None:
    """As what the viewer speaks of the record; None where it is not theirs to confirm."""
    if case.student_id in viewer.own_student_ids:
        return Capacity.SELF
    if case.student_id in viewer.ward_ids:
        return Capacity.GUARDIAN
    if viewer.is_service:
        return None
    if Post.INFORMATION_GROUP in viewer.posts or is_of_homeroom:
        return Capacity.AT_SCHOOL
    return None


def is_family(viewer: Viewer) -> bool:
    """Whether there is a record that is the viewer's own or their ward's."""
    return not viewer.is_service and bool(viewer.own_student_ids | viewer.ward_ids)


def after_confirmation(case: AdmissionCase, confirmed: Collection[str]) -> CaseStatus:
    """Confirmed once every field is, and nothing is objected to."""
    is_whole = set(case.fields_to_confirm) <= set(confirmed) and not case.open_objections
    return CaseStatus.CONFIRMED if is_whole else case.status


def check_fields(case: AdmissionCase, fields: Sequence[str], place: str) -> None:
    """UNKNOWN_FIELD for what no record says, DUPLICATE for what is named twice."""
    seen: set[str] = set()
    for number, name in enumerate(fields):
        if name not in APPLICANT_FIELDS:
            raise RegistrarError(ErrorCode.UNKNOWN_FIELD, field=f"{place}.{number}", name=name[:50])
        if name in seen:
            raise RegistrarError(ErrorCode.DUPLICATE, field=f"{place}.{number}", others=place)
        seen.add(name)


def is_overdue(case: AdmissionCase, now: datetime) -> bool:
    return case.status is CaseStatus.OBJECTED and case.due_at is not None and case.due_at <= now


def awaited_posts(case: AdmissionCase) -> frozenset[Post]:
    """Whose move it is, as far as posts go."""
    match case.status:
        case CaseStatus.IN_REVIEW:
            signed = {signature.seat for signature in case.current_signatures}
            return frozenset(post for post, seat in REVIEWERS.items() if seat not in signed)
        case CaseStatus.READY_FOR_ENTRY | CaseStatus.ENTERED | CaseStatus.OBJECTED:
            return ENTERERS
        case CaseStatus.REVIEW_FAILED:
            return SUPPLIERS
    return frozenset()


def holds_seat(actor: Actor, seat: Seat) -> bool:
    """Whether the actor's posts carry the seat, as of now."""
    return any(held is seat and post in actor.posts for post, held in REVIEWERS.items())


def signed_content(case: AdmissionCase) -> dict[str, Any]:
    """What a signature of the review is bound to: values, papers by content, and the round."""
    return {
        "case": str(case.key),
        "round": case.round,
        "stage": case.stage,
        "applicant": case.applicant.model_dump(mode="json"),
        "evidence": sorted([held.document_type, str(held.scan_id), held.sha256] for held in case.evidence),
    }
