"""Random small schools as they are stored, and what they count to in plain Python."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from bson import ObjectId

from archive_store.academics.documents import Course, GradeKind, GradeRecord, Term
from archive_store.foundation.store import Store
from archive_store.organisation.documents import Cohort, SchoolClass
from archive_store.students.documents import Student

AT = datetime(2020, 1, 1, tzinfo=UTC)
CLASSES = {"七1班": "七年级", "七2班": "七年级", "八1班": "八年级"}
# From a status, by a cause, to a status; and the flow that it is.
STEPS = {
    "ENROLLED": [
        ("SUSPEND", "SUSPENDED", "SUSPEND"),
        (None, "SUSPENDED", "SUSPEND"),
        ("REPEAT", "ENROLLED", "REPEAT"),
        ("DROP_OUT", "DROPPED_OUT", "DROP_OUT"),
        ("TRANSFER_OUT", "TRANSFERRED_OUT", "TRANSFER_OUT"),
        ("CORRECT", "WITHDRAWN", "WITHDRAW"),
        ("GRADUATE", "GRADUATED", "GRADUATE"),
        (None, "ENROLLED", None),
    ],
    "SUSPENDED": [("RESUME", "ENROLLED", "RESUME"), (None, "ENROLLED", "RESUME")],
    "DROPPED_OUT": [("CORRECT", "ENROLLED", "RESUME")],
    "TRANSFERRED_OUT": [(None, "ENROLLED", "TRANSFER_IN")],
    "WITHDRAWN": [("REINSTATE", "ENROLLED", "REINSTATE")],
    "PENDING_ADMISSION": [("TAKE_UP", "ENROLLED", "ENTER"), (None, "ENROLLED", "ENTER")],
}
Row = dict[str, Any]


def period(status: str, begins: date, ends: date | None = None, cause: str | None = None, **more: Any) -> Row:
    last = None if ends is None else ends.isoformat()
    told = {"status": status, "effective_from": begins.isoformat(), "effective_to": last, "cause": cause}
    return {**told, "recorded_at": AT, "superseded_at": None, **more}


def student(periods: Sequence[Row], class_name: str = "七1班", **more: Any) -> Row:
    told = {"gender": "1", "ethnic_group": "01", "birth_date": "2010-05-05", "student_source": "1"}
    place = {"class_name": class_name, "grade": CLASSES[class_name], "enrolled_month": "2023-09"}
    keys = {"_id": ObjectId(), "person_id": ObjectId(), "pseudonym": str(ObjectId())}
    return {**keys, **told, **place, "status": periods[-1]["status"], "status_periods": list(periods), **more}


def random_student(chance: random.Random) -> tuple[Row, list[tuple[str, str]]]:
    """A student, and the flows of the ledger: first day and flow."""
    day = date(2023, chance.choice((8, 9, 9, 9, 9)), 1)
    source, status = chance.choice("1112"), chance.choice(["ENROLLED"] * 5 + ["PENDING_ADMISSION"])
    flows = []
    if status == "ENROLLED":
        flows.append((day.isoformat(), "TRANSFER_IN" if source == "2" else "ENTER"))
    periods = [period(status, day)]
    while chance.random() < 0.5 and status in STEPS:
        cause, after, flow = chance.choice(STEPS[status])
        day += timedelta(days=chance.choice((20, 40, 150)))
        periods[-1]["effective_to"] = (day - timedelta(days=1)).isoformat()
        periods.append(period(after, day, cause=cause))
        if flow is not None:
            flows.append((day.isoformat(), flow))
        status = after
    # What was superseded counts for nothing, wherever it stands in the list.
    gone = period("EXPELLED", day - timedelta(days=3), cause="EXPEL", superseded_at=AT)
    chance.shuffle(periods)
    periods.insert(chance.randint(0, len(periods)), gone)
    row = student(periods, chance.choice(list(CLASSES)), gender=chance.choice("12"), student_source=source)
    row["status"] = status
    return row, flows


async def stored(store: Store, rows: Sequence[Row]) -> None:
    await store.database.collection(Student).insert_many(list(rows))


def period_of(day: str, unit: str) -> str:
    """As a person would say it."""
    year, month = int(day[:4]), int(day[5:7])
    if unit == "MONTH":
        return day[:7]
    begun = year if month >= 9 else year - 1
    if unit == "SCHOOL_YEAR":
        return str(begun)
    return f"{begun}-{1 if month in (9, 10, 11, 12, 1) else 2}"


def status_of(row: Row, day: str) -> str | None:
    for held in row["status_periods"]:
        ends = held["effective_to"] or "9999"
        if held["superseded_at"] is None and held["effective_from"] <= day <= ends:
            return str(held["status"])
    return None


async def school_of_grades(
    store: Store, chance: random.Random, *, most: int = 14
) -> tuple[list[Row], list[Row]]:
    """Two terms, two courses, three classes, and grades stored as they are; the terms and the grades in clear."""
    terms = [
        {"_id": ObjectId(), "school_year": 2024, "number": number, "first_day": first, "last_day": last}
        for number, first, last in ((1, "2024-09-01", "2025-01-20"), (2, "2025-02-17", "2025-07-10"))
    ]
    courses = [
        {"_id": ObjectId(), "code": "MATH", "name": "数学", "credits": 4.0, "scheme": "PERCENT"},
        {"_id": ObjectId(), "code": "ART", "name": "美术", "credits": 1.0, "scheme": "FIVE_LEVEL"},
    ]
    cohorts = [
        {
            "_id": ObjectId(),
            "name": f"{year}级",
            "stage": "JUNIOR",
            "enrolled_year": year,
            "grades": [{"label": label, "valid_from": "2024-09-01"}],
        }
        for year, label in ((2024, "七年级"), (2023, "八年级"))
    ]
    classes = [
        {
            "_id": ObjectId(),
            "name": name,
            "cohort_id": cohorts[grade == "八年级"]["_id"],
            "capacity": 50,
            "opened_on": "2023-09-01",
        }
        for name, grade in CLASSES.items()
    ]
    clear = []
    for term in terms:
        for course in courses:
            for name in CLASSES:
                for _ in range(chance.randint(0, most)):
                    score: str | None = str(chance.choice((95, 89.5, 80, 75, 60, 59.5, 20)))
                    if course["code"] == "ART":
                        score = chance.choice("ABCDF")
                    status = "ENTERED"
                    if chance.random() < 0.1:
                        status, score = chance.choice(("ABSENT", "DEFERRED")), None
                    clear.append(grade(term, course, name, status, score))
    for row in list(clear)[:5]:
        clear.append({**row, "_id": ObjectId(), "kind": GradeKind.MAKEUP.value})
    for kind, rows in ((Term, terms), (Course, courses), (Cohort, cohorts), (SchoolClass, classes)):
        await store.database.collection(kind).insert_many([dict(row) for row in rows])
    await stored_grades(store, clear)
    names = {row["_id"]: row["code"] for row in courses}
    numbers = {row["_id"]: f"{row['school_year']}-{row['number']}" for row in terms}
    regular = [row for row in clear if row["kind"] == "REGULAR"]
    return terms, [
        {**row, "course": names[row["course_id"]], "term": numbers[row["term_id"]]} for row in regular
    ]


def grade(term: Row, course: Row, class_name: str, status: str, score: str | None) -> Row:
    keys = {name: ObjectId() for name in ("_id", "student_id", "arrangement_id", "entry_id")}
    of = {"term_id": term["_id"], "course_id": course["_id"], "class_name": class_name}
    return {**keys, **of, "kind": "REGULAR", "status": status, "score": score, "entered_by_name": "教务"}


async def stored_grades(store: Store, clear: Sequence[Row]) -> None:
    rows = [dict(row) for row in clear]
    await store.cipher.encrypt_paths(rows, ["score", "status"])
    if rows:
        await store.database.collection(GradeRecord).insert_many(rows)


def band(row: Row) -> str:
    score = row["score"]
    if score is None:
        return str(row["status"])
    if score in "ABCDF":
        return f"LEVEL_{score}"
    least = next((least for least in (90, 80, 70, 60) if float(score) >= least), None)
    return "BELOW_60" if least is None else f"FROM_{least}"
