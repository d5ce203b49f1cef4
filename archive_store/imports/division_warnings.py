"""What seems wrong with the division codes (行政区划代码) of a row: a warning, never a refusal. Pure.

Divisions are abolished and founded every year, so a table is behind some of them, and a right code may be missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from archive_store.foundation.divisions import division_state
from archive_store.foundation.errors import Message
from archive_store.imports.roster_columns import HEADER_BY_FIELD, Value
from archive_store.people.rules import IDENTITY_CARD


class WarningCode(StrEnum):
    """Stable codes of what is worth a look."""

    UNKNOWN_DIVISION = "unknown_division"
    ABOLISHED_DIVISION = "abolished_division"
    DIFFERS_FROM_IDENTITY = "differs_from_identity"


_ABOLISHED, _UNKNOWN = "abolished", "unknown"

MESSAGES = {
    WarningCode.UNKNOWN_DIVISION: Message(
        zh="行政区划代码表中没有此代码,请核对。",
        en="The table of divisions does not have this code; please check it.",
    ),
    WarningCode.ABOLISHED_DIVISION: Message(
        zh="此行政区划代码已撤销,请核对是否应为现行代码。",
        en="This division was abolished; please check whether a code of today is meant.",
    ),
    WarningCode.DIFFERS_FROM_IDENTITY: Message(
        zh="与身份证件号前六位不同,请核对。",
        en="This differs from the first six digits of the identity number; please check it.",
    ),
}


@dataclass(frozen=True, slots=True)
class RowWarning:
    """What is worth a look in one cell; `column` is its header. The row is entered all the same."""

    column: str
    code: WarningCode

    @property
    def message(self) -> Message:
        return MESSAGES[self.code]


def division_warnings(values: Mapping[str, Value]) -> tuple[RowWarning, ...]:
    """Warnings of the fields that are right in themselves, in the order of the columns."""
    birth, household = values.get("birth_place_code"), values.get("household_division_code")
    number = values.get("identity_number") if values.get("identity_document_type") == IDENTITY_CARD else None
    registered = str(number)[:6] if number is not None else None
    found: dict[str, WarningCode] = {}
    if birth is not None:
        # A place of birth may have been abolished since.
        if division_state(str(birth)[:6]) == _UNKNOWN:
            found["birth_place_code"] = WarningCode.UNKNOWN_DIVISION
        elif registered is not None and str(birth)[:6] != registered:
            found["birth_place_code"] = WarningCode.DIFFERS_FROM_IDENTITY
    if registered is not None and division_state(registered) == _UNKNOWN:
        found["identity_number"] = WarningCode.UNKNOWN_DIVISION
    if household is not None:
        state = division_state(str(household)[:6])
        if state == _UNKNOWN:
            found["household_division_code"] = WarningCode.UNKNOWN_DIVISION
        elif state == _ABOLISHED:
            found["household_division_code"] = WarningCode.ABOLISHED_DIVISION
    return tuple(RowWarning(HEADER_BY_FIELD[name], code) for name, code in found.items())
