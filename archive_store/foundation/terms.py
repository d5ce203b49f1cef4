"""Terms: `valid_from` to `valid_to`, days in China, both inclusive; without a last day while nobody has set one."""

from __future__ import annotations

from datetime import date

from archive_store.foundation.database import Row


def in_force_on(day: date) -> Row:
    """Filter of the documents whose term holds the day."""
    today = day.isoformat()
    return {"valid_from": {"$lte": today}, "$or": [{"valid_to": None}, {"valid_to": {"$gte": today}}]}
