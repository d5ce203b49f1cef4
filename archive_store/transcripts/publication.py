"""What the public may ask about a transcript, without a sign-in.

By the code alone, which stands in the paper's QR code and so in addresses and their logs: that there is such a paper,
its number and day, a masked name, its state, the digest of the signed document. The grades are told to whoever has the
reading key (查阅码) as well, which stands on the paper and in no address, so that an altered paper is found out by
holding it against them. Each such look is told in the transcript's history.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from archive_store.audit.governed_transaction import governed_transaction
from archive_store.certificates.rules import is_code
from archive_store.foundation.database import Row
from archive_store.foundation.field_classes import encrypted_paths
from archive_store.foundation.store import Store
from archive_store.foundation.unit_of_work import Actor, Subject, UnitOfWork
from archive_store.transcripts.documents import Transcript, TranscriptState
from archive_store.transcripts.queries import corrected_of
from archive_store.transcripts.rules import is_key, masked_name

PUBLIC = Actor(None, "public")
# As no code is written, so that a malformed one is looked up like any other.
_NO_CODE = ""


@dataclass(frozen=True, slots=True)
class CheckedTranscript:
    """What a check tells. `statement` is what was signed, with the right key only, and of a valid one."""

    state: TranscriptState
    number: str
    issued_on: str
    school_name: str
    name: str  # masked
    grades: int
    digest: str
    corrected_since: bool
    key_matches: bool | None = None
    statement: Mapping[str, Any] | None = None


async def check_by_code(store: Store, code: str, key: str | None = None) -> CheckedTranscript | None:
    """None of an unknown code and of a malformed one. `key_matches` is None where no key was typed."""
    written = code.strip().lower().replace("-", "")
    query = {"code": written if is_code(written) else _NO_CODE}
    row = await store.database.collection(Transcript).find_one(query)
    if row is None:
        return None
    matches, statement = None, None
    if key is not None:
        matches, statement = await _opened(store, row, key)
    return CheckedTranscript(
        state=TranscriptState(row["state"]),
        number=row["number"],
        issued_on=row["issued_on"],
        school_name=row["school_name"],
        name=masked_name(row["name"]),
        grades=len(row["stated"]),
        digest=row["digest"],
        corrected_since=bool(await corrected_of(store, [row])),
        key_matches=matches,
        statement=statement,
    )


async def _opened(store: Store, row: Row, key: str) -> tuple[bool, Mapping[str, Any] | None]:
    held = dict(row)
    await store.cipher.decrypt_paths([held], encrypted_paths(Transcript))
    if not is_key(held["reading_key"], key):
        return False, None
    if held["state"] != TranscriptState.VALID.value:
        return True, None

    async def tell(unit: UnitOfWork) -> None:
        unit.audit(Subject(Transcript.subject_type, row["_id"]), "transcript:check")

    await governed_transaction(store, PUBLIC, "transcript.check", tell)
    return True, dict(orjson.loads(held["credential"])["credentialSubject"])
