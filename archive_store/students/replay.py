"""The record at a moment, replayed from its history. Pure; docs/time-travel.md says the rule, with an example.

A moment has two times: `as_of`, the school day on which something held (valid time 有效时间), and `known_at`, until
when it had been recorded (transaction time 记录时间). What an entry changed holds from its effective day on, and for
those days supersedes what was recorded before it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, get_origin

from archive_store.foundation.clock import school_day
from archive_store.foundation.database import Row
from archive_store.students.documents import Student
from archive_store.students.status_periods import status_on

# The kind of every student's first entry.
REGISTRATION = "student:register"
# The last one of a record that an undone import had made: there is none from then on, and for no day.
REGISTRATION_UNDONE = "student:register:undo"
# What the registration tells was so before any change that is on record.
_FROM_EVER = date.min
# What the history gives, with what a field is that nothing was told of.
_EMPTY: Mapping[str, Any] = {
    name: [] if get_origin(field.annotation) is list else None
    for name, field in Student.model_fields.items()
    if name not in {"id", "revision_id"} | Student.bookkeeping
}


class BrokenHistoryError(Exception):
    """A history that has a gap or no beginning; verification says more."""


@dataclass(frozen=True, slots=True)
class Moment:
    """`known_at` None is now."""

    as_of: date
    known_at: datetime | None = None


def known_by(entries: Sequence[Row], known_at: datetime | None) -> Sequence[Row]:
    """The entries recorded by then, of all of a student's, in order; they may still be sealed.

    None counts as recorded before the one that it follows, whatever the clocks of two servers said.
    """
    if [entry["sequence"] for entry in entries] != list(range(1, len(entries) + 1)):
        raise BrokenHistoryError("entries are missing")
    if not entries or entries[0]["kind"] != REGISTRATION:
        raise BrokenHistoryError("it does not begin with the registration")
    if known_at is None:
        return entries
    end = next((place for place, entry in enumerate(entries) if entry["at"] > known_at), len(entries))
    return entries[:end]


def replayed(entries: Sequence[Row]) -> Row:
    """The record that the opened entries give, replayed from nothing: each field that is no bookkeeping."""
    record = dict(_EMPTY)
    for entry in entries:
        for change in entry["sealed"]["changes"]:
            if change["field"] in record:
                record[change["field"]] = change["after"]
    return record


def record_on(entries: Sequence[Row], as_of: date) -> Row:
    """The record of that day by the opened entries, which are those known by then.

    With `revision` and `updated_at` as they were when no more was known.
    """
    # The ledger has both times in itself.
    of_the_day = [entry for entry in entries if effective_day(entry) <= as_of]
    record = replayed(of_the_day) | {"status_periods": replayed(entries)["status_periods"]}
    record["status"] = status_on(record["status_periods"], as_of)
    writing = [entry for entry in entries if entry["sealed"]["changes"] or entry["sealed"]["touched"]]
    return record | {"revision": len(writing), "updated_at": writing[-1]["at"] if writing else None}


def effective_day(entry: Row) -> date:
    """The day from which what an opened entry changed holds."""
    if entry["kind"] == REGISTRATION:
        return _FROM_EVER
    named = entry["sealed"].get("effective_from")
    return date.fromisoformat(named) if named else school_day(entry["at"])


def at_moment(entries: Sequence[Row], moment: Moment) -> Row | None:
    """The record at the moment, of all of a student's entries; None before it was recorded and once that is undone."""
    known = known_by(entries, moment.known_at)
    return record_on(known, moment.as_of) if known and known[-1]["kind"] != REGISTRATION_UNDONE else None
