"""The doors by which stored values leave, each asked for everything at once."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from python_calamine import CalamineWorkbook

from archive_store.analysis.dimensions import StudentDimension
from archive_store.students.documents import Gender
from archive_store.students.export_columns import COLUMN_BY_HEADER, COLUMNS
from archive_store.students.queries import FILTER_FIELDS, StudentOrder
from schema.errors import camel_case
from schema.nodes import global_id
from schema.scans.types import SCAN
from schema.students.types import STUDENT
from tests.access.marked_school import MarkedStudent, leaves_of_field
from tests.access.marks import Leaf
from tests.access.visitor import Answer, Visitor, shown_paths
from tests.graphql.test_federation import BELOW, every_field

STUDENT_FIELDS, SCAN_FIELDS = (
    every_field(STUDENT),
    (f"{every_field(SCAN)} contentUrl thumbnailUrl previewUrl contentClass"),
)
# As many rows as one query may cost.
_READ_SCAN = every_field(SCAN).replace(BELOW["findings"], "findings { code }")
# The entries that the school begins with; each download of a scan adds one.
_HISTORY = """auditHistory(first: 100, after: "100") { edges { node { kind reason actorName hash
    changes { field before after withheld } } } }"""
_REQUEST = """operation status targetId requestedByName reason steps { comment decidedByName }
    changes { field before after withheld }"""
_CELL = "gender ethnicGroup nationality overseasStatus politicalStatus householdType status grade"
_CELLS = f"cells {{ count birthYear {_CELL} className enrolledMonth admissionMethod boarding studentSource }}"
_ROWS = """pseudonymisedStudents(first: 100) { edges { cursor node { pseudonym gender birthYear grade status
    enrolledMonth admissionMethod boarding studentSource } } pageInfo { endCursor } }"""


def _note_students(visitor: Visitor, answer: Answer, nodes: Iterable[Mapping[str, Any] | None]) -> None:
    for node in nodes:
        if node:
            answer.shown |= {Leaf(visitor.name_of(node), path) for path in shown_paths(STUDENT, node)}


async def student(visitor: Visitor, answer: Answer) -> None:
    query = f"query ($tied: ID!, $other: ID!) {{ a: student(id: $tied) {{ id {STUDENT_FIELDS} }} "
    told = await visitor.ask(
        answer, f"{query} b: student(id: $other) {{ id {STUDENT_FIELDS} }} }}", **visitor.ids
    )
    _note_students(visitor, answer, told.values())


async def students(visitor: Visitor, answer: Answer) -> None:
    query = f"{{ students(first: 100) {{ edges {{ node {{ id {STUDENT_FIELDS} }} }} }} }}"
    told = await visitor.ask(answer, query)
    _note_students(visitor, answer, (edge["node"] for edge in told.get("students", {}).get("edges", ())))


async def node(visitor: Visitor, answer: Answer) -> None:
    on = f"{{ id ... on Student {{ {STUDENT_FIELDS} }} }}"
    query = f"query ($tied: ID!, $other: ID!) {{ a: node(id: $tied) {on} b: node(id: $other) {on} }}"
    _note_students(visitor, answer, (await visitor.ask(answer, query, **visitor.ids)).values())


async def entities(visitor: Visitor, answer: Answer) -> None:
    on = f"... on Student {{ id {STUDENT_FIELDS} }}"
    query = f"query ($of: [_Any!]!) {{ _entities(representations: $of) {{ {on} }} }}"
    of = [{"__typename": "Student", "id": text} for text in visitor.ids.values()]
    _note_students(visitor, answer, (await visitor.ask(answer, query, of=of))["_entities"])


async def history(visitor: Visitor, answer: Answer) -> None:
    query = f"query ($tied: ID!, $other: ID!) {{ tied: student(id: $tied) {{ {_HISTORY} }} "
    told = await visitor.ask(answer, f"{query} other: student(id: $other) {{ {_HISTORY} }} }}", **visitor.ids)
    for name, found in told.items():
        for edge in ((found or {}).get("auditHistory") or {"edges": ()})["edges"]:
            for change in edge["node"]["changes"]:
                if not change["withheld"]:
                    leaves = leaves_of_field(_snake(change["field"]))
                    answer.shown |= {Leaf(name, path) for path in leaves if path != "guardians.person_id"}
                else:
                    assert (change["before"], change["after"]) == (None, None)


async def at_moments(visitor: Visitor, answer: Answer) -> None:
    """Today, and as it was known when it was registered."""
    parts = []
    for name, held in visitor.students:
        for moment, given in (
            ("today", f'asOf: "{visitor.today}"'),
            ("first", f"knownAt: {_known_at(held)}"),
        ):
            fields = f"id moment {{ asOf }} {STUDENT_FIELDS}"
            parts.append(f"{name}_{moment}: student(id: ${name}, {given}) {{ {fields} }}")
    told = await visitor.ask(
        answer, f"query ($tied: ID!, $other: ID!) {{ {' '.join(parts)} }}", **visitor.ids
    )
    _note_students(visitor, answer, told.values())


def _known_at(student: MarkedStudent) -> str:
    assert student.registered_at is not None
    return f'"{student.registered_at.isoformat()}"'


async def diff(visitor: Visitor, answer: Answer) -> None:
    """What became of the record since it was registered, and of a moment and itself, of which nothing did."""
    parts = []
    for name, held in visitor.students:
        first = f"{{ knownAt: {_known_at(held)} }}"
        fields = (
            f"diff(from: {first}) {{ field before after }} same: diff(from: {first}, to: {first}) {{ field }}"
        )
        parts.append(f"{name}: student(id: ${name}) {{ {fields} }}")
    query = f"query ($tied: ID!, $other: ID!) {{ {' '.join(parts)} }}"
    for name, found in (await visitor.ask(answer, query, **visitor.ids)).items():
        assert not (found or {}).get("same")
        for item in (found or {}).get("diff") or ():
            path = _snake(item["field"])
            assert item["before"] != item["after"]
            answer.shown |= {Leaf(name, leaf) for leaf in _leaves_in(path, (item["before"], item["after"]))}


def _leaves_in(path: str, values: Iterable[Any]) -> Iterable[str]:
    for value in values:
        if isinstance(value, list):
            yield from (f"{path}.{_snake(key)}" for item in value for key in item if item[key] is not None)
        else:
            yield path


async def access_history(visitor: Visitor, answer: Answer) -> None:
    """Of each student, what stands in the readings that the school begins with."""
    after = global_id("AccessEvent", visitor.world.readings_end)
    rows = f'''accessHistory(first: 100, after: "{after}") {{ edges {{ cursor node {{ at actorName actorPosts fields
        purpose byGrant byTeam isOwn logIndex entryId entrySequence entryHash scans {{ id {_READ_SCAN} }} }} }}
        pageInfo {{ hasNextPage endCursor }} }}'''
    query = f"query ($tied: ID!, $other: ID!) {{ tied: student(id: $tied) {{ {rows} }} "
    told = await visitor.ask(answer, f"{query} other: student(id: $other) {{ {rows} }} }}", **visitor.ids)
    kinds = {global_id("Scan", key): kind for kind, key in visitor.tied.scans.items()}
    # As many readings of the one as of the other beside the scans: of either alone, and of both.
    for (name, own), another in zip(visitor.students, (visitor.other, visitor.tied), strict=True):
        found = (told[name] or {}).get("accessHistory") or {"edges": ()}
        assert str(another.key) not in repr(found)
        nodes = [edge["node"] for edge in found["edges"]]
        for held in (scan for node in nodes for scan in node["scans"]):
            answer.shown |= {Leaf(f"{name} {kinds[held['id']]}", path) for path in shown_paths(SCAN, held)}
        assert [node["fields"] for node in nodes if node["fields"]] == [["phone"]] * (2 if nodes else 0)
        assert sum(len(node["scans"]) for node in nodes) <= len(own.scans)


_ENTRY = "kind reason actorName hash changes { field before after withheld }"
_NODES = (
    "Scan",
    "ChangeRequest",
    "RetrievalGrant",
    "CrisisTeam",
    "EmergencyAction",
    "LegalHold",
    "DisposalBatch",
    "MergeCase",
)


async def node_histories(visitor: Visitor, answer: Answer) -> None:
    """The history of every other kind of node, by its global id."""
    # The entries that the school begins with, as of a student's.
    on = " ".join(
        f'... on {name} {{ auditHistory(first: 9, after: "10") {{ edges {{ node {{ {_ENTRY} }} }} }} }}'
        for name in _NODES
    )
    keys = [global_id("Scan", key) for key in visitor.tied.scans.values()]
    keys += [global_id("ChangeRequest", key) for key in visitor.tied.requests.values()]
    keys += [global_id(held.type, held.id) for held in visitor.histories.keys.values() if held.type in _NODES]
    for text in keys:
        told = await visitor.ask(answer, f'{{ node(id: "{text}") {{ id {on} }} }}')
        _check_withheld(((told.get("node") or {}).get("auditHistory") or {"edges": ()})["edges"])


async def audit_entries(visitor: Visitor, answer: Answer) -> None:
    """All entries up to the moment from which the doors themselves leave some, page by page."""
    page = (
        "edges { cursor node { %s actorId subjectType subject { id } } } pageInfo { hasNextPage endCursor }"
    )
    query = f"""query ($after: String, $to: DateTime) {{
        auditEntries(first: 100, after: $after, where: {{to: $to}}) {{ {page % _ENTRY} }} }}"""
    after, goes_on = None, True
    while goes_on:
        told = await visitor.ask(answer, query, after=after, to=visitor.world.until.isoformat())
        if not told:
            return
        edges, place = told["auditEntries"]["edges"], told["auditEntries"]["pageInfo"]
        assert len(edges) == 100 or not place["hasNextPage"]
        after, goes_on = place["endCursor"], place["hasNextPage"]
        _check_withheld(edges)
        for name, text in visitor.ids.items():
            entries = [e["node"] for e in edges if (e["node"]["subject"] or {}).get("id") == text]
            answer.shown |= {
                Leaf(name, path)
                for entry in entries
                for change in entry["changes"]
                if not change["withheld"]
                for path in leaves_of_field(_snake(change["field"]))
                if path != "guardians.person_id"
            }


def _check_withheld(edges: Iterable[Mapping[str, Any]]) -> None:
    for edge in edges:
        for change in edge["node"]["changes"]:
            assert not change["withheld"] or (change["before"], change["after"]) == (None, None)


async def requests(visitor: Visitor, answer: Answer) -> None:
    """The list, and each request by its own doors, which must say the same."""
    keys = {global_id("ChangeRequest", key): name for name, key in visitor.tied.requests.items()}
    by_id = "".join(
        f' r{place}: changeRequest(id: "{text}") {{ id {_REQUEST} }} n{place}: node(id: "{text}") '
        f"{{ id ... on ChangeRequest {{ {_REQUEST} }} }}"
        for place, text in enumerate(keys)
    )
    query = f"query ($of: [_Any!]!) {{ changeRequests(first: 100) {{ edges {{ node {{ id {_REQUEST} }} }} }}"
    query += f" {by_id} _entities(representations: $of) {{ ... on ChangeRequest {{ id {_REQUEST} }} }} }}"
    of = [{"__typename": "ChangeRequest", "id": text} for text in keys]
    told = await visitor.ask(answer, query, of=of)
    listed = {edge["node"]["id"]: edge["node"] for edge in told.pop("changeRequests")["edges"]}
    for place, text in enumerate(keys):
        assert told[f"r{place}"] == told[f"n{place}"] == told["_entities"][place] == listed.get(text)
    for text, found in listed.items():
        for change in found["changes"]:
            if not change["withheld"]:
                leaves = leaves_of_field(_snake(change["field"]))
                answer.shown |= {
                    Leaf(f"request {keys[text]}", path) for path in leaves if "person_id" not in path
                }
            else:
                assert (change["before"], change["after"]) == (None, None)


def _snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)


async def where(visitor: Visitor, answer: Answer) -> None:
    """A filter shows a value by finding its record."""
    for attribute, path in FILTER_FIELDS.items():
        value = visitor.tied.row[path]
        query = "query ($where: StudentFilter) { students(where: $where) { edges { node { id } } } }"
        told = await visitor.ask(answer, query, where={camel_case(attribute): value})
        if visitor.ids["tied"] in [edge["node"]["id"] for edge in told.get("students", {}).get("edges", ())]:
            answer.shown.add(Leaf("tied", path))


async def order_by(visitor: Visitor, answer: Answer) -> None:
    """An order shows values by its cursors; whatever is not in order by a value that may be read is refused."""
    for order in StudentOrder:
        query = f"{{ students(orderBy: {order.name}) {{ edges {{ cursor node {{ id }} }} }} }}"
        told = await visitor.ask(answer, query)
        for edge in told.get("students", {}).get("edges", ()):
            answer.shown.add(Leaf(visitor.name_of(edge["node"]), order.value[0]))


async def _export(visitor: Visitor, answer: Answer, file_type: str = "csv", **params: str) -> str | None:
    """The field that was refused, if one was."""
    got = await visitor.get(f"/exports/students.{file_type}", answer, **params)
    if got.status_code != 200:
        assert got.status_code == 403, got.text
        return str(got.json()["error"]["field"])
    if got.content.startswith(b"PK"):  # every part is searched, not the sheet alone
        with zipfile.ZipFile(io.BytesIO(got.content)) as archive:
            answer.texts += [archive.read(name).decode() for name in archive.namelist()]
    for row in _rows_of(got.content):
        records = {leaf.record for leaf in visitor.world.marks.found_in("\n".join(row.values())).values()}
        assert len(records) == 1, row
        (record,) = records
        answer.shown |= {Leaf(record, COLUMN_BY_HEADER[header].path) for header, cell in row.items() if cell}
    return None


def _rows_of(content: bytes) -> Iterable[dict[str, str]]:
    if content.startswith(b"PK"):
        headers, *lines = (
            CalamineWorkbook.from_filelike(io.BytesIO(content)).get_sheet_by_index(0).to_python()
        )
        return [dict(zip(map(str, headers), map(str, line), strict=True)) for line in lines]
    return csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline=""))


async def workbook(visitor: Visitor, answer: Answer) -> None:
    await _export(visitor, answer, "xlsx")


async def default_columns(visitor: Visitor, answer: Answer) -> None:
    await _export(visitor, answer)


async def named_columns(visitor: Visitor, answer: Answer) -> None:
    """Every column by its name; what is refused is left out, until the rest is exported."""
    headers = [column.header for column in COLUMNS]
    while headers:
        refused = await _export(visitor, answer, columns=",".join(headers))
        if refused is None or not refused.startswith("columns."):
            return
        headers.remove(refused.removeprefix("columns."))


async def statistics(visitor: Visitor, answer: Answer) -> None:
    """Every dimension; what is refused is left out."""
    left = list(StudentDimension)
    while left:
        asked = left[:3]
        query = f"{{ studentStatistics(groupBy: [{', '.join(each.name for each in asked)}]) {{ {_CELLS} }} }}"
        told = await visitor.ask(answer, query)
        if not told:
            refused = answer.refused_field.removeprefix("groupBy.")
            asked = [each for each in asked if camel_case(each.attribute) == refused or not refused]
        left = [each for each in left if each not in asked]
        for cell in told.get("studentStatistics", {}).get("cells", ()):
            for name, held in visitor.students:
                shown = {"status": cell["status"], "gender": cell["gender"] and Gender[cell["gender"]].value}
                equal = (path for path, value in shown.items() if value == held.row[path])
                answer.shown |= {Leaf(name, path) for path in equal}


async def pseudonymised(visitor: Visitor, answer: Answer) -> None:
    told = await visitor.ask(answer, f"{{ {_ROWS} }}")
    for edge in told.get("pseudonymisedStudents", {}).get("edges", ()):
        answer.shown |= {
            Leaf("tied", path) for path in ("gender", "status") if edge["node"][path] is not None
        }


async def scans(visitor: Visitor, answer: Answer) -> None:
    """Scans by their student, and by their own doors, which must say the same."""
    keys = {global_id("Scan", key): kind for kind, key in visitor.tied.scans.items()}
    by_id = "".join(
        f' s{place}: scan(id: "{text}") {{ id {SCAN_FIELDS} }} n{place}: node(id: "{text}") '
        f"{{ id ... on Scan {{ {SCAN_FIELDS} }} }}"
        for place, text in enumerate(keys)
    )
    query = (
        f"query ($tied: ID!, $of: [_Any!]!) {{ student(id: $tied) {{ scans {{ id {SCAN_FIELDS} }} }} {by_id}"
    )
    query += f" _entities(representations: $of) {{ ... on Scan {{ id {SCAN_FIELDS} }} }} }}"
    of = [{"__typename": "Scan", "id": text} for text in keys]
    told = await visitor.ask(answer, query, tied=visitor.ids["tied"], of=of)
    listed = {held["id"]: held for held in (told["student"] or {}).get("scans") or ()}
    for place, text in enumerate(keys):
        assert told[f"s{place}"] == told[f"n{place}"] == told["_entities"][place] == listed.get(text)
    for text, held in listed.items():
        answer.shown |= {Leaf(f"tied {keys[text]}", path) for path in shown_paths(SCAN, held)}
        if held["contentUrl"] is not None:
            answer.shown.add(Leaf(f"tied {keys[text]}", "content"))


async def content(visitor: Visitor, answer: Answer) -> None:
    for kind, key in visitor.tied.scans.items():
        got = await visitor.get(f"/scans/{global_id('Scan', key)}/content", answer)
        assert got.status_code in (200, 403, 404), got.text
        if got.status_code == 200:
            # Whoever has the bytes has their size, which has no mark, since the bytes have to be as many.
            answer.shown.add(Leaf(f"tied {kind}", "size"))
        # The marked papers have no pictures, so that all that may come is why.
        for part in ("thumbnail", "preview"):
            got = await visitor.get(f"/scans/{global_id('Scan', key)}/{part}", answer)
            assert got.status_code in (403, 404), got.text


async def field_access(visitor: Visitor, answer: Answer) -> None:
    """A line tells that a value may be read, not the value."""
    lines = "fieldAccess { field readable reason } viewerCan(action: STUDENT_UPDATE) { allowed }"
    query = f"query ($tied: ID!, $other: ID!) {{ tied: student(id: $tied) {{ {lines} }} "
    told = await visitor.ask(answer, f"{query} other: student(id: $other) {{ {lines} }} }}", **visitor.ids)
    for name, found in told.items():
        for line in (found or {}).get("fieldAccess", ()):
            assert line["readable"] is (line["reason"] is None)
            if line["readable"]:
                path = ".".join(_snake(part) for part in line["field"].split("."))
                answer.shown.add(Leaf(name, path))


async def rosters(visitor: Visitor, answer: Answer) -> None:
    """The classes of both students, by name and in the list, with who is in them."""
    rows = f"students(first: 2) {{ edges {{ node {{ id {STUDENT_FIELDS} }} }} }}"
    names = {name: held.row["class_name"] for name, held in visitor.students}
    query = f"query ($tied: String!, $other: String!) {{ a: schoolClass(name: $tied) {{ name {rows} }} "
    told = await visitor.ask(answer, f"{query} b: schoolClass(name: $other) {{ name {rows} }} }}", **names)
    listed = await visitor.ask(answer, "{ classes(first: 10) { edges { cursor node { name grade } } } }")
    by_name = {found["name"]: found for found in told.values() if found}
    assert {edge["node"]["name"] for edge in listed["classes"]["edges"]} == by_name.keys()
    for name, text in names.items():
        if text in by_name:
            answer.shown.add(Leaf(name, "class_name"))
    for found in by_name.values():
        _note_students(visitor, answer, (edge["node"] for edge in found["students"]["edges"]))


async def numbers(visitor: Visitor, answer: Answer) -> None:
    """The numbers of a student, which are the one number."""
    fields = "numberState numberHistory { number state validFrom validTo }"
    query = f"query ($tied: ID!, $other: ID!) {{ tied: student(id: $tied) {{ {fields} }} "
    told = await visitor.ask(answer, f"{query} other: student(id: $other) {{ {fields} }} }}", **visitor.ids)
    for name, found in told.items():
        if (found or {}).get("numberHistory") is not None:
            answer.shown.add(Leaf(name, "national_student_number"))


async def notifications(visitor: Visitor, answer: Answer) -> None:
    await visitor.ask(answer, "{ notifications(first: 100) { edges { cursor node { kind at subjectId } } } }")


@dataclass(frozen=True)
class Door:
    """`goes_by` are the root fields of Query and the routes that it opens."""

    name: str
    open: Callable[[Visitor, Answer], Awaitable[None]]
    goes_by: tuple[str, ...]
    has_redactions: bool = False
    spells: bool = True  # whether it shows values as text


DOORS = (
    Door("student", student, ("student",), True),
    Door("students", students, ("students",), True),
    Door("node", node, ("node",), True),
    Door("_entities", entities, ("_entities",), True),
    Door("auditHistory", history, ("student",), True),
    Door("student at moments", at_moments, ("student",), True),
    Door("diff", diff, ("student",), True),
    Door("accessHistory", access_history, ("student",), True),
    Door("histories of other nodes", node_histories, ("node",)),
    Door("auditEntries", audit_entries, ("auditEntries",)),
    Door("change requests", requests, ("changeRequest", "changeRequests", "node", "_entities")),
    Door("where", where, ("students",), spells=False),
    Door("orderBy", order_by, ("students",)),
    Door("export, default columns", default_columns, ("GET /exports/students.csv",)),
    Door("export, named column", named_columns, ("GET /exports/students.csv",)),
    Door("export, workbook", workbook, ("GET /exports/students.xlsx",)),
    Door("statistics", statistics, ("studentStatistics",)),
    Door("pseudonymised rows", pseudonymised, ("pseudonymisedStudents",)),
    Door("scans", scans, ("scan", "student", "node", "_entities"), True),
    Door(
        "bytes of a scan",
        content,
        ("GET /scans/{id}/content", "GET /scans/{id}/preview", "GET /scans/{id}/thumbnail"),
    ),
    Door("fieldAccess", field_access, ("student",), spells=False),
    Door("class rosters", rosters, ("classes", "schoolClass")),
    Door("numbers", numbers, ("student",)),
    Door("notifications", notifications, ("notifications",)),
)
# Root fields and routes that show no stored value of a student or a scan.
WITHOUT_VALUES = {
    "_service": "the SDL",
    "viewer": "the viewer's own name and posts",
    "retrievalGrants": "what was granted, to the grantee and those who decide on grants",
    "fieldAccessPolicy": "the policy, open to all who are signed in",
    "school": "name and codes, open inside the school",
    "terms": "days of terms, open inside the school",
    "courses": "names of courses, open inside the school",
    "courseArrangements": "who teaches which class what, open inside the school",
    "departments": "names of departments, open inside the school",
    "majors": "names of majors, open inside the school",
    "cohorts": "names of cohorts and grades, open inside the school",
    "studentFlows": "counts of all students, small cells suppressed (tests/statistics)",
    "studentStocks": "counts of all students, small cells suppressed (tests/statistics)",
    "gradeDistributions": "counts of all grades, small cells suppressed (tests/statistics)",
    "GET /statistics/{question}.{ending}": "the same counts, drawn (tests/statistics)",
    "classAssignmentPreview": "counts, to those who may ask and read what it is told by (tests/organisation)",
    "classAssignmentProposal": "keys and class names, to the same (tests/organisation)",
    "staff": "names and posts, open inside the school",
    "delegations": "who signs in whose seat, to the two of them",
    "verificationCampaign": "campaigns, open; items by the rights on the record (tests/semester_verification)",
    "verificationCampaigns": "as `verificationCampaign`",
    "crisisTeams": "what a team is lent, to its own and those who decide; texts by class (tests/crisis)",
    "emergencyAction": "as `emergencyActions`",
    "emergencyActions": "as change requests are shown, by the same function; tested in tests/approvals",
    "certificateNumberRanges": "counters, to those who ask for certificates and those who sign (tests/certificates)",
    "GET /.well-known/did.json": "public keys, which are published",
    "GET /certificates/status/{list}": "bits of nobody, which are published",
    "GET /certificates/verify/{code}": "what a paper says, to whoever holds it (tests/certificates)",
    "GET /certificates/{id}.json": "one certificate, to who reads all of it, recorded (tests/certificates)",
    "GET /certificates/{id}.pdf": "one certificate, to who reads all of it, recorded (tests/certificates)",
    "GET /transcripts/status/{list}": "bits of nobody, which are published",
    "GET /transcripts/verify/{code}": "number, day and masked name, to whoever has the code (tests/transcripts)",
    "POST /transcripts/verify/{code}": "what a paper says, to whoever holds it (tests/transcripts)",
    "GET /transcripts/{id}.json": "one transcript, to who reads the grades, recorded (tests/transcripts)",
    "GET /transcripts/{id}.pdf": "one transcript, to who reads the grades, recorded (tests/transcripts)",
    "retentionTable": "the table, open to all who are signed in",
    "legalHolds": "holds, to those who keep the archive (tests/preservation)",
    "disposalBatches": "lists of scans, to those who keep the archive (tests/preservation)",
    "disposalDue": "lists of scans, to those who keep the archive (tests/preservation)",
    "incompleteArchiveFiles": "document types, to those who keep the archive (tests/preservation)",
    "archiveCompletenessRate": "counts, to those who keep the archive (tests/preservation)",
    "approvalPolicy": "the policy, open to all who are signed in",
    "reasonTemplates": "sentences, for whoever holds a post",
    "workCalendar": "days off, as published",
    "codeTables": "codes and labels, as published",
    "codeTable": "codes and labels, as published",
    "division": "names of places, as published",
    "checkpoint": "sizes and hashes of the audit log, signed, which are published",
    "inclusionProof": "hashes of the audit log",
    "consistencyProof": "hashes of the audit log",
    "WS /graphql": "the door of GraphQL, whose root fields are listed",
    "GET /graphql": "the door of GraphQL, whose root fields are listed",
    "POST /graphql": "the door of GraphQL, whose root fields are listed",
    "scanUploads": "the viewer's own uploads; the scan by its own rights",
    "POST /scans/uploads": "what was just told, to who told it (tests/http/test_tus.py)",
    "POST /scans/uploads/": "as without the slash",
    "OPTIONS /scans/uploads": "what the server can",
    "OPTIONS /scans/uploads/": "what the server can",
    **{
        f"{method} /scans/uploads/{{id}}": "the viewer's own upload (tests/http/test_tus.py)"
        for method in ("DELETE", "GET", "OPTIONS", "PATCH", "POST")
    },
    "PUT /scans": "as POST",
    "POST /scans": "what was just uploaded, to the archive group who uploaded it",
    "importBatch": "a file and its faults, to those who import (tests/imports)",
    "importBatches": "as `importBatch`",
    "GET /grade-sheets/{id}.csv": "numbers and names of a class, to whoever enters grades (tests/grade_sheets)",
    "GET /grade-sheets/{id}.xlsx": "as `GET /grade-sheets/{id}.csv`",
    "PUT /imports": "what was just sent, to who sent it (tests/imports)",
    "GET /graphiql/{name}": "scripts",
    "GET /health/live": "that it runs",
    "GET /health/ready": "that its stores answer",
    "admissionCase": "as `admissionCases`",
    "admissionCases": "of candidates, by the same classes (tests/admission/test_over_graphql.py)",
    "admissionProgress": "counts of cases, for whoever reads records by post (tests/admission)",
    "admissionPolicy": "the rules, open to all who are signed in",
    "statusChangePreview": "what a change would meet, to those who may ask for it (tests/status_changes)",
    "statusRules": "the rules, open to all who are signed in",
    "recordObjectionsOpen": "what waits, to who answers it, each leaf by its class (tests/objections)",
    "transferCase": "of the office and the family (tests/transfer_cases)",
    "transferCases": "of the office alone (tests/transfer_cases)",
    "transferRules": "the routes, open to all who are signed in",
    "dormitoryOccupancy": "counts of beds, to who plans with them (tests/logistics)",
    "dormitoryRooms": "rooms, and who sleeps there to who reads that (tests/logistics)",
    "fileTransfersSent": "what is on its way, to who sends it (tests/transfers)",
    "graduationAudit": "audits, to those who audit by post and read what they are taken of (tests/graduation)",
    "graduationBatches": "counts of decisions, as `graduationAudit`",
    "graduationRules": "the rules, open to all who are signed in",
    "duplicateCandidates": "pairs, to those who ask for merges; the students by their rights (tests/duplicates)",
    "mergeCase": "as `mergeCases`",
    "mergeCases": "merges, by class; the students by their rights (tests/duplicates)",
    "appeals": "by class, as from the student (tests/conduct)",
    "gradePointScale": "the scale, open to all who are signed in",
    "conductPolicy": "the rules, open to all who are signed in",
    "GET /metrics": "counts of requests by route",
}
