"""Changes of people and posts: `role_grant.give`, and the installation of a school's first people."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from beanie import PydanticObjectId
from bson import ObjectId

from archive_store.access.policy import ACCESS_RULE
from archive_store.access.rules import DEFAULT_ACCESS_RULES, AccessRules, FieldAccessPolicy
from archive_store.access.viewer import Viewer
from archive_store.approvals.default_rules import DEFAULT_APPROVAL_RULES
from archive_store.approvals.documents import ApprovalPolicy
from archive_store.approvals.operation import Operation, Payload
from archive_store.audit.governed_transaction import governed_transaction
from archive_store.foundation.clock import school_day
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.posts import Post
from archive_store.foundation.records import Record, bson_value
from archive_store.foundation.store import Store
from archive_store.foundation.unit_of_work import INSTALLATION, FieldChange, Subject, UnitOfWork
from archive_store.people.documents import GrantKind, Person, RoleGrant
from archive_store.people.seats import in_force, seats_of, seats_taken

_RULE = "policy §二(二)"


class RoleGrantGive(Payload):
    """Payload of `role_grant.give`; dates are days in China, `valid_to` inclusive."""

    person_id: PydanticObjectId
    post: Post
    kind: GrantKind = GrantKind.PRIMARY
    business_line: str | None = None
    class_names: tuple[str, ...] = ()
    homeroom_class_names: tuple[str, ...] = ()
    valid_from: date
    valid_to: date | None = None
    qualified: bool
    confidentiality_undertaken: bool


def _check_conditions(payload: RoleGrantGive | RoleGrant, rules: AccessRules) -> None:
    """Term, business line, qualification and undertaking."""
    if payload.business_line is not None and payload.business_line not in rules.business_lines:
        raise RegistrarError(ErrorCode.UNKNOWN_CODE, field="business_line", rule=ACCESS_RULE)
    if payload.valid_to is not None and payload.valid_to < payload.valid_from:
        raise RegistrarError(ErrorCode.INVALID_DATE, field="valid_to")
    if payload.kind is not GrantKind.PRIMARY and payload.valid_to is None:
        raise RegistrarError(ErrorCode.REQUIRED, field="valid_to", rule=_RULE)
    for field in ("qualified", "confidentiality_undertaken"):
        if not getattr(payload, field):
            raise RegistrarError(ErrorCode.REQUIRED, field=field, rule=_RULE)


async def _check_grant(store: Store, viewer: Viewer, payload: RoleGrantGive) -> None:
    _check_conditions(payload, viewer.policy.rules)
    if await store.database.collection(Person).find_one({"_id": payload.person_id}, {"_id": 1}) is None:
        raise RegistrarError(ErrorCode.NOT_FOUND, field="person_id")


def _check_seats(store: Store, grant: RoleGrant, others: Sequence[RoleGrant]) -> None:
    limit = seats_of(grant.post, deputy_director_seats=store.settings.deputy_director_seats)
    if limit is not None and seats_taken(grant, others) >= limit:
        raise RegistrarError(ErrorCode.SEAT_TAKEN, field="post", rule=_RULE, limit=limit)


async def _apply_grant(unit: UnitOfWork, payload: RoleGrantGive) -> ObjectId:
    grant = RoleGrant(**payload.model_dump())
    await unit.serialise(f"seats:{payload.post}")
    others = unit.store.database.collection(RoleGrant).find({"post": grant.post}, session=unit.session)
    _check_seats(unit.store, grant, [RoleGrant.model_validate(row) async for row in others])
    await unit.insert(grant)
    changes = [FieldChange(name, None, bson_value(value)) for name, value in payload.model_dump().items()]
    unit.audit(Subject(RoleGrant.subject_type, grant.key), "role_grant:give", changes)
    unit.notify(payload.person_id, "role_grant:given", Subject(RoleGrant.subject_type, grant.key))
    return grant.key


async def _posts_of_grantee(store: Store, payload: RoleGrantGive) -> frozenset[Post]:
    grants = await store.database.collection(RoleGrant).find({"person_id": payload.person_id}).to_list()
    today = school_day(store.clock.now())
    held = (RoleGrant.model_validate(row) for row in grants)
    return frozenset(grant.post for grant in held if in_force(grant, today))


ROLE_GRANT_GIVE = Operation(
    name="role_grant.give",
    record_type=RoleGrant,
    payload=RoleGrantGive,
    requesters=frozenset({Post.DIRECTOR, Post.DEPUTY_DIRECTOR}),
    subject=lambda payload: Subject(Person.subject_type, payload.person_id),
    requested_values=lambda payload: {
        name: bson_value(getattr(payload, name)) for name in payload.model_fields_set
    },
    fields=lambda payload: frozenset(payload.model_fields_set),
    check=_check_grant,
    apply=_apply_grant,
    excluded_posts=_posts_of_grantee,
)


async def is_installed(store: Store) -> bool:
    return await store.database.collection(ApprovalPolicy).find_one({}, {"_id": 1}) is not None


async def install(store: Store, persons: Sequence[Person], grants: Sequence[RoleGrant]) -> None:
    """Begin a school: both policies in their first version, and the first people with their posts.

    WRONG_STATE when it was begun before; the rules of seats and conditions hold as for any grant.
    """
    for position, grant in enumerate(grants):
        _check_conditions(grant, DEFAULT_ACCESS_RULES)
        _check_seats(store, grant, grants[:position])

    async def begin(unit: UnitOfWork) -> None:
        first = {"version": 1, "effective_from": school_day(unit.at)}
        if await unit.store.database.collection(ApprovalPolicy).find_one({}, session=unit.session):
            raise RegistrarError(ErrorCode.WRONG_STATE, state="INSTALLED")
        groups: list[tuple[str, Sequence[Record]]] = [
            ("approval_policy:install", [ApprovalPolicy(rules=DEFAULT_APPROVAL_RULES, **first)]),
            ("field_access_policy:install", [FieldAccessPolicy(rules=DEFAULT_ACCESS_RULES, **first)]),
            ("person:register", persons),
            ("role_grant:give", grants),
        ]
        for kind, records in groups:
            await unit.insert(*records)
            for record in records:
                unit.audit(Subject(record.subject_type, record.key), kind)

    await governed_transaction(store, INSTALLATION, "school.install", begin)
