"""Marks: values that cannot occur by chance, so that finding one in a response tells which leaf was shown."""

from __future__ import annotations

import base64
import random
import re
from collections import defaultdict
from datetime import UTC, date, datetime
from typing import Any, NamedTuple

from beanie import PydanticObjectId

from archive_store.foundation.field_classes import field_classes
from archive_store.scans.documents import Scan
from archive_store.students.change_kinds import ChangeKind
from archive_store.students.documents import Gender, Student, StudentStatus

DAYS = {"birth_date"} | {
    f"status_periods.{name}" for name in ("effective_from", "effective_to", "planned_to")
}
MOMENTS = {"created_at", "updated_at", "status_periods.recorded_at", "status_periods.superseded_at"}
FLAGS = {"is_only_child", "is_left_behind", "is_migrant_worker_child", "is_orphan", "needs_financial_aid"}
CHOICES = {"gender", "status", "status_periods.cause", "status_periods.status"}
KEYS = {"merged_into", "status_periods.change_request_id"}
STUDENT_PATHS = tuple(field_classes(Student))
SCAN_PATHS = tuple(field_classes(Scan))

# Texts, days and months of centuries without students, large numbers, keys and pseudonyms.
_TOKEN = re.compile(
    r"ZQ[0-9A-F]{10}|\b1[678]\d\d-\d\d(?:-\d\d)?|(?<![\w.])77\d{7}(?!\w)|(?<![0-9a-f])[0-9a-f]{24,}(?![0-9a-f])"
)
_MOST_DAYS = 20  # marks of one leaf
_STORED_DAYS = 4  # of these, those that a school begins with
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{24,}={0,2}")


class Leaf(NamedTuple):
    """A leaf of one record of the tests, by the record's name; or a free text that speaks of leaves."""

    record: str
    path: str


class Marks:
    """Makes marks and tells whose they are."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        self._made: set[str] = set()
        self.leaves: dict[str, Leaf] = {}
        self.of: defaultdict[Leaf, list[str]] = defaultdict(list)  # in the order they were made

    def note(self, leaf: Leaf, token: str) -> str:
        assert _TOKEN.fullmatch(token), token
        assert self.leaves.setdefault(token, leaf) == leaf
        if token not in self.of[leaf]:
            self.of[leaf].append(token)
        return token

    def _fresh(self, make: Any) -> Any:
        while (value := make()) in self._made:
            pass
        self._made.add(value)
        return value

    def text(self, leaf: Leaf) -> str:
        return self.note(leaf, self._fresh(lambda: f"ZQ{self._chance.randrange(16**10):010X}"))

    def _again(self, leaf: Leaf) -> str | None:
        """A mark that the leaf had before, but not what is stored: days and months are too few for ever new ones."""
        made = self.of[leaf]
        return self._chance.choice(made[_STORED_DAYS:]) if len(made) >= _MOST_DAYS else None

    def day(self, leaf: Leaf) -> date:
        if again := self._again(leaf):
            return date.fromisoformat(again)
        first, last = date(1600, 1, 1).toordinal(), date(1799, 12, 31).toordinal()
        found = self._fresh(lambda: date.fromordinal(self._chance.randint(first, last)))
        self.note(leaf, found.isoformat())
        return found

    def month(self, leaf: Leaf) -> str:
        if again := self._again(leaf):
            return again

        def made() -> str:
            return f"{self._chance.randint(1800, 1899)}-{self._chance.randint(1, 12):02}"

        return self.note(leaf, self._fresh(made))

    def moment(self, leaf: Leaf) -> datetime:
        found = self.day(leaf)
        return datetime(found.year, found.month, found.day, 12, 30, tzinfo=UTC)

    def number(self, leaf: Leaf) -> int:
        return int(self.note(leaf, str(self._fresh(lambda: self._chance.randint(770_000_000, 779_999_999)))))

    def value(self, leaf: Leaf) -> Any:
        """A value of the leaf's kind. Flags and choices have too few to be marks."""
        path = leaf.path
        if path in DAYS:
            return self.day(leaf)
        if path in MOMENTS:
            return self.moment(leaf)
        if path in FLAGS:
            return self._chance.random() < 0.5
        if path == "gender":
            return self._chance.choice(list(Gender))
        if path == "status_periods.cause":
            return self._chance.choice(list(ChangeKind))
        if path in CHOICES:
            return self._chance.choice(list(StudentStatus))
        if path == "enrolled_month":
            return self.month(leaf)
        if path == "revision":
            return self.number(leaf)
        if path in KEYS:
            key = PydanticObjectId()
            self.note(leaf, str(key))
            return key
        return self.text(leaf)

    def found_in(self, text: str) -> dict[str, Leaf]:
        """The marks in a text, and in what it carries as base64, such as cursors."""
        texts = [text]
        for held in _BASE64.findall(text):
            try:
                texts.append(base64.urlsafe_b64decode(held + "=" * (-len(held) % 4)).decode())
            except ValueError:
                continue
        tokens = {token for each in texts for token in _TOKEN.findall(each)}
        return {token: self.leaves[token] for token in tokens if token in self.leaves}
