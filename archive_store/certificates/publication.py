"""What the public may ask, without a sign-in: a certificate by the code on its paper, and the list of ended ones.

Policy §四(一) 学历认证. Nothing is told that is not on the paper, but its state.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from archive_store.certificates.credentials import LIST_ENTRIES, key_document, status_list_credential
from archive_store.certificates.documents import Certificate, CertificateState
from archive_store.certificates.making import signing
from archive_store.certificates.rules import is_code
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.store import Store

# As no code is written, so that a malformed one is looked up like any other.
_NO_CODE = ""
_MOST_LISTS = 10_000


async def certificate_of_code(store: Store, code: str) -> Mapping[str, Any] | None:
    """`number`, `kind`, `state` and `paper`, as stored; None of an unknown code and of a malformed one."""
    written = code.strip().lower().replace("-", "")
    shown = {"_id": 0, "number": 1, "kind": 1, "state": 1, "paper": 1}
    found = await store.database.collection(Certificate).find_one(
        {"code": written if is_code(written) else _NO_CODE}, shown
    )
    return None if found is None else dict(found)


async def public_status_list(store: Store, number: str) -> dict[str, Any]:
    """The signed list of that number (from 1 on); NOT_FOUND of one that is not begun."""
    public_url, key = signing(store)
    if not (
        number.isascii() and number.isdigit() and 1 <= len(number) <= 5 and 1 <= int(number) <= _MOST_LISTS
    ):
        raise RegistrarError(ErrorCode.NOT_FOUND)
    collection, place = store.database.collection(Certificate), int(number)
    if place > 1 and await collection.find_one({"status_list": place}, {"_id": 1}) is None:
        raise RegistrarError(ErrorCode.NOT_FOUND)
    query = {"status_list": place, "state": {"$ne": CertificateState.VALID.value}}
    rows = await collection.find(query, {"status_index": 1}, limit=LIST_ENTRIES).to_list()
    ended = [row["status_index"] for row in rows]
    return status_list_credential(public_url, key, status_list=place, ended=ended, at=store.clock.now())


def public_keys(store: Store) -> dict[str, Any]:
    """did.json of the school; NOT_FOUND where the installation signs nothing."""
    try:
        public_url, key = signing(store)
    except RegistrarError as error:
        raise RegistrarError(ErrorCode.NOT_FOUND) from error
    return key_document(public_url, key)
