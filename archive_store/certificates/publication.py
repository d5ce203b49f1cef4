"""What the public may ask, without a sign-in: a certificate by the code on its paper, and the school's keys.

Policy §四(一) 学历认证. Nothing is told that is not on the paper, but its state.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from archive_store.certificates.credentials import key_document
from archive_store.certificates.documents import Certificate
from archive_store.certificates.rules import is_code
from archive_store.certificates.status_lists import signing
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.store import Store

# As no code is written, so that a malformed one is looked up like any other.
_NO_CODE = ""


async def certificate_of_code(store: Store, code: str) -> Mapping[str, Any] | None:
    """`number`, `kind`, `state` and `paper`, as stored; None of an unknown code and of a malformed one."""
    written = code.strip().lower().replace("-", "")
    shown = {"_id": 0, "number": 1, "kind": 1, "state": 1, "paper": 1}
    found = await store.database.collection(Certificate).find_one(
        {"code": written if is_code(written) else _NO_CODE}, shown
    )
    return None if found is None else dict(found)


def public_keys(store: Store) -> dict[str, Any]:
    """did.json of the school; NOT_FOUND where the installation signs nothing."""
    try:
        public_url, key = signing(store)
    except RegistrarError as error:
        raise RegistrarError(ErrorCode.NOT_FOUND) from error
    return key_document(public_url, key)
