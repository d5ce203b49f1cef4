"""Random GraphQL documents and exports: filters with guessed values, orders, pages, aliases, fragments, conditions."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from archive_store.analysis.dimensions import StudentDimension
from archive_store.foundation.paging import Cursor
from archive_store.students.export_columns import COLUMNS
from archive_store.students.queries import FILTER_FIELDS, StudentOrder
from schema.access import GovernedType
from schema.errors import camel_case
from schema.nodes import global_id
from schema.scans.types import SCAN
from schema.students.types import STUDENT
from tests.access.marked_school import MarkedSchool, MarkedStudent

_ROW = ["pseudonym", "gender", "birthYear", "grade", "status", "enrolledMonth", "boarding", "studentSource"]
_CELL = [
    "count",
    "suppressed",
    "gender",
    "birthYear",
    "ethnicGroup",
    "nationality",
    "status",
    "grade",
    "className",
]
_ENTRY = ["kind", "reason", "actorName", "sequence", "hash", "changes { field before after withheld }"]
_ENTRY += ["actorPosts", "approvalChain { decision comment }", "subject { id }"]
# Without the hash of a reading's entry: of another content it is another, and keyed, so it tells nothing of either.
_ANY_ENTRY = [field for field in _ENTRY if field != "hash"]
_READING = ["actorName", "actorPosts", "at", "fields", "purpose", "byGrant", "byTeam", "isOwn", "logIndex"]
_REQUEST = ["operation", "status", "targetId", "reason", "awaits", "steps { comment tier }"]
_REQUEST += [
    "changes { field before after withheld }",
    "viewerCan(action: APPROVE) { allowed reason { code } }",
]
# Of the entries that the school begins with.
_OTHER_HISTORY = """auditHistory(first: 5, after: "5") { edges { node { kind reason
    changes { field before after withheld } } } }"""
_REQUEST += [_OTHER_HISTORY]
_SCAN_MORE = ["id", "contentClass", "contentUrl", "thumbnailUrl", "previewUrl"]
_SCAN_MORE += ["viewerCan(action: DOWNLOAD) { allowed reason { code } }"]
_SCAN_MORE += [
    _OTHER_HISTORY,
    "retentionUntil",
    "due: viewerCan(action: PROPOSE_DISPOSAL) { allowed reason { code } }",
]
_STUDENT_MORE = ["id", "__typename", "fieldAccess { field readable filterable reason }"]
_STUDENT_MORE += ["archiveCompleteness { required missing isComplete }"]
_STUDENT_MORE += ['viewerCan(action: STUDENT_UPDATE, fields: ["phone"]) { allowed tiers reason { code } }']

_DAYS = ("1950-01-01", "2020-01-01", "2025-06-30")


@dataclass
class Question:
    """A document with its variables, or the parameters of an export; and the guesses that its filters make."""

    document: str = ""
    variables: dict[str, Any] = field(default_factory=dict)
    export: dict[str, Any] | None = None
    guesses: dict[str, set[str]] = field(default_factory=dict)  # leaf -> values

    @property
    def counts(self) -> bool:
        """Whether it asks for counts or pseudonymised rows, which are of all students, whoever reads one."""
        return "studentStatistics" in self.document or "pseudonymisedStudents" in self.document

    def with_guess(self, old: str, new: str) -> Question:
        """The same question with another guess."""

        def put(value: Any) -> Any:
            if isinstance(value, dict):
                return {name: put(held) for name, held in value.items()}
            return new if value == old else value

        export = None if self.export is None else put(self.export)
        return Question(self.document, put(self.variables), export, self.guesses)


class Generator:
    """Questions about the students of a school; the same seed asks the same."""

    def __init__(self, world: MarkedSchool, seed: int) -> None:
        self._world, self._chance = world, random.Random(seed)

    def question(self) -> Question:
        if self._chance.random() < 0.12:
            return self._export()
        return _Document(self._world, self._chance).question()

    def _export(self) -> Question:
        chance, found = self._chance, Question()
        filters: dict[str, Any] = {}
        for attribute in chance.sample(list(FILTER_FIELDS), chance.choice((0, 0, 1, 2))):
            filters[attribute] = _guess(self._world, chance, attribute, found)
        headers = chance.sample([column.header for column in COLUMNS], chance.randint(1, 6))
        found.export = {"headers": chance.choice((None, headers)), "where": filters}
        return found


def _guess(world: MarkedSchool, chance: random.Random, attribute: str, question: Question) -> Any:
    """A value that some student has, perhaps one that the asker may not know."""
    path = FILTER_FIELDS[attribute]
    value = str(chance.choice(world.students).row[path])
    if attribute == "name_prefix":
        value = value[: chance.choice((2, 5, 12))]
    question.guesses.setdefault(path, set()).add(value)
    return value


class _Document:
    """One document. Its selections may be moved into fragments, inline or named, and given conditions."""

    def __init__(self, world: MarkedSchool, chance: random.Random) -> None:
        self._world, self._chance = world, chance
        self._found = Question()
        self._fragments: list[str] = []
        self._declared: list[str] = []
        self._aliases = 0

    def question(self) -> Question:
        roots = [self._student, self._students, self._node, self._entities, self._requests, self._scan]
        roots += [self._statistics, self._rows, self._notifications, self._audit_entries]
        weights = [5, 8, 4, 4, 3, 3, 1, 1, 1, 3]
        parts = [
            make() for make in self._chance.choices(roots, weights, k=self._chance.choice((1, 1, 1, 2, 3)))
        ]
        body = " ".join(f"r{place}: {part}" for place, part in enumerate(parts))
        declared = f"({', '.join(self._declared)})" if self._declared else ""
        self._found.document = " ".join([f"query Asked{declared} {{ {body} }}", *self._fragments])
        return self._found

    def _variable(self, kind: str, value: Any) -> str:
        name = f"v{len(self._declared)}"
        self._declared.append(f"${name}: {kind}")
        self._found.variables[name] = value
        return f"${name}"

    def _condition(self) -> str:
        if self._chance.random() < 0.85:
            return ""
        word, value = self._chance.choice(("include", "skip")), self._chance.random() < 0.5
        return f" @{word}(if: {self._variable('Boolean!', value)})"

    def _aliased(self, name: str) -> str:
        if self._aliases > 20 or self._chance.random() < 0.85:
            return name
        self._aliases += 1
        return f"a{self._aliases}: {name}"

    def _wrapped(self, selections: Sequence[str], type_name: str) -> str:
        """The selections, some of them in fragments on the type or on an interface of it."""
        chance, parts = self._chance, []
        for selection in selections:
            kind = chance.random()
            held = f"{selection}{self._condition()}" if "{" not in selection else selection
            if kind < 0.8:
                parts.append(held)
            elif kind < 0.9:
                on = chance.choice((f" on {type_name}", "", f" on {type_name}"))
                parts.append(f"...{on}{self._condition()} {{ {held} }}")
            elif kind < 0.95 and type_name in ("Student", "Scan", "ChangeRequest"):
                parts.append(f"... on Node {{ id ... on {type_name}{self._condition()} {{ {held} }} }}")
            else:
                name = f"F{len(self._fragments)}"
                self._fragments.append(f"fragment {name} on {type_name} {{ {held} }}")
                parts.append(f"...{name}{self._condition()}")
        return " ".join(parts) or "__typename"

    def _governed(self, governed: GovernedType, most: int) -> list[str]:
        chance = self._chance
        names = chance.sample(list(governed.leaves), min(len(governed.leaves), chance.randint(1, most)))
        found = [self._aliased(name) for name in names]
        for name, nested in governed.lists.items():
            if chance.random() < 0.3:
                found.append(
                    f"{self._aliased(name)} {{ {self._wrapped(self._governed(nested, 4), nested.name)} }}"
                )
        return found

    def _student_fields(self) -> str:
        chance = self._chance
        found = self._governed(STUDENT, 14) + [more for more in _STUDENT_MORE if chance.random() < 0.2]
        if chance.random() < 0.25:
            found.append(f"{self._aliased('scans')} {{ {self._scan_fields()} }}")
        if chance.random() < 0.25:
            after = chance.choice(("", "", f', after: "{chance.randint(1, 45)}"'))
            entry = self._wrapped(chance.sample(_ENTRY, 3), "AuditEntry")
            page = f"(first: {chance.randint(1, 50)}{after})"
            found.append(f"{self._aliased('auditHistory')}{page} {{ edges {{ cursor node {{ {entry} }} }} }}")
        if chance.random() < 0.15:
            moment = f"{{ knownAt: {self._known_at(chance.choice(self._world.students))} }}"
            found.append(f"{self._aliased('diff')}(from: {moment}) {{ field before after }}")
        if chance.random() < 0.25:
            # What the questions themselves read is newer, and differs from one asking to the next.
            page = f'(first: {chance.randint(1, 6)}, after: "{global_id("AccessEvent", self._world.readings_end)}")'
            scans = [f"scans {{ {self._scan_fields()} }}"] if chance.random() < 0.4 else []
            told = self._wrapped(chance.sample(_READING, 3) + scans, "AccessEvent")
            found.append(f"{self._aliased('accessHistory')}{page} {{ edges {{ cursor node {{ {told} }} }} }}")
        chance.shuffle(found)
        return self._wrapped(found, "Student")

    def _scan_fields(self) -> str:
        # A student's status has another type, and may stand beside it in fragments on a node.
        fields = ["state: status" if name == "status" else name for name in self._governed(SCAN, 6)]
        fields = [f"{name} {{ code pages }}" if name.endswith("findings") else name for name in fields]
        return self._wrapped(fields + self._chance.sample(_SCAN_MORE, 2), "Scan")

    def _request_fields(self, *, beside_students: bool = False) -> str:
        # Two types' fields of one name and different enums may not stand beside each other.
        names = [name for name in _REQUEST if not (beside_students and name == "status")]
        return self._wrapped(self._chance.sample(names, 4), "ChangeRequest")

    def _any(self) -> tuple[str, str]:
        """Type name and id of some record, of a student three times in five."""
        student = self._chance.choice(self._world.students)
        keys = {"Scan": student.scans, "ChangeRequest": student.requests}
        kind = self._chance.choice(("Student", "Student", "Student", "Scan", "ChangeRequest"))
        found = self._chance.choice(list(keys[kind].values())) if keys.get(kind) else student.key
        return kind, global_id(kind, found)

    def _on_every_type(self) -> str:
        students, scans = self._student_fields(), self._scan_fields()
        requests = self._request_fields(beside_students=True)
        return (
            f"... on Student {{ {students} }} ... on Scan {{ {scans} }} ... on ChangeRequest {{ {requests} }}"
        )

    def _student(self) -> str:
        held, chance = self._chance.choice(self._world.students), self._chance
        arguments = [f"id: {self._variable('ID!', global_id('Student', held.key))}"]
        if chance.random() < 0.25:
            arguments.append(f'asOf: "{chance.choice(_DAYS)}"')
        if chance.random() < 0.25:
            arguments.append(f"knownAt: {self._known_at(held)}")
        moment = chance.choice(("", "moment { asOf } "))
        return f"student({', '.join(arguments)}) {{ {moment}{self._student_fields()} }}"

    def _known_at(self, student: MarkedStudent) -> str:
        """When the student was just registered, or was not yet."""
        assert student.registered_at is not None
        moment = student.registered_at - timedelta(seconds=self._chance.choice((0, 0, 0, 60)))
        return self._variable("DateTime!", moment.isoformat())

    def _students(self) -> str:
        chance, arguments = self._chance, [f"first: {self._chance.choice((1, 2, 3, 5, 20))}"]
        order = chance.choice([None, None, *StudentOrder])
        if order:
            arguments.append(f"orderBy: {order.name}")
        if chance.random() < 0.3:
            held = chance.choice(self._world.students).row
            spelt = order or chance.choice(list(StudentOrder))
            # Of a page that may have been shown to somebody else.
            cursor = Cursor(spelt.name, held[spelt.value[0]], held["_id"]).encode()
            arguments.append(f"after: {self._variable('String', cursor)}")
            self._found.guesses.setdefault(spelt.value[0], set()).add(held[spelt.value[0]])
        if chance.random() < 0.4:
            where = {
                camel_case(attribute): _guess(self._world, chance, attribute, self._found)
                for attribute in chance.sample(list(FILTER_FIELDS), chance.choice((1, 1, 2)))
            }
            arguments.append(f"where: {self._variable('StudentFilter', where)}")
        page = chance.choice(("", "", " pageInfo { hasNextPage endCursor startCursor }"))
        cursor = chance.choice(("", "cursor "))
        return f"students({', '.join(arguments)}) {{ edges {{ {cursor}node {{ {self._student_fields()} }} }}{page} }}"

    def _node(self) -> str:
        return f"node(id: {self._variable('ID!', self._any()[1])}) {{ id {self._on_every_type()} }}"

    def _entities(self) -> str:
        of = [
            dict(zip(("__typename", "id"), self._any(), strict=True))
            for _ in range(self._chance.randint(1, 5))
        ]
        return f"_entities(representations: {self._variable('[_Any!]!', of)}) {{ {self._on_every_type()} }}"

    def _requests(self) -> str:
        chance, arguments = self._chance, [f"first: {self._chance.choice((1, 5, 50))}"]
        if chance.random() < 0.4:
            key = global_id("Student", chance.choice(self._world.students).key)
            where = {"studentId": key, "awaitingMe": chance.random() < 0.2}
            arguments.append(f"where: {self._variable('ChangeRequestFilter', where)}")
        fields = self._request_fields()
        return f"changeRequests({', '.join(arguments)}) {{ edges {{ cursor node {{ {fields} }} }} }}"

    def _scan(self) -> str:
        keys = [key for student in self._world.students for key in student.scans.values()]
        key = self._variable("ID!", global_id("Scan", self._chance.choice(keys)))
        return f"scan(id: {key}) {{ {self._scan_fields()} }}"

    def _statistics(self) -> str:
        by = [each.name for each in self._chance.sample(list(StudentDimension), self._chance.randint(1, 3))]
        cells = self._wrapped(self._chance.sample(_CELL, 5), "StudentStatisticsCell")
        return f"studentStatistics(groupBy: [{', '.join(by)}]) {{ smallestCell cells {{ {cells} }} }}"

    def _rows(self) -> str:
        row = self._wrapped(self._chance.sample(_ROW, 5), "PseudonymisedStudent")
        return f"pseudonymisedStudents(first: 50) {{ edges {{ cursor node {{ {row} }} }} }}"

    def _audit_entries(self) -> str:
        """Without the entries that the questions leave themselves."""
        chance, where = self._chance, {"to": self._world.until.isoformat()}
        told = {
            "subjectId": self._any()[1],
            "subjectType": chance.choice(("STUDENT", "SCAN", "CHANGE_REQUEST", "PERSON")),
            "kind": chance.choice(("student:update", "scan:file", "change_request:submit")),
            "operation": chance.choice(("x", "scan.file")),
            "changeRequestId": global_id(
                "ChangeRequest", chance.choice(self._world.students).requests["closed"]
            ),
        }
        for name in chance.sample(list(told), chance.choice((0, 1, 1, 2))):
            where[name] = told[name]
        entry = self._wrapped(
            [*chance.sample(_ANY_ENTRY, 4), f"subject {{ {self._on_every_type()} }}"], "AuditEntry"
        )
        page = f"first: {chance.choice((1, 7, 20))}, where: {self._variable('AuditEntryFilter', where)}"
        return f"auditEntries({page}) {{ edges {{ cursor node {{ {entry} }} }} pageInfo {{ hasNextPage }} }}"

    def _notifications(self) -> str:
        return "notifications(first: 20) { edges { cursor node { kind subjectId } } }"
