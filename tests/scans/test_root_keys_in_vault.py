"""The archive with its root key in Vault, or rather in the double of it that `vault_double.py` describes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from bson import ObjectId
from pydantic import SecretStr

from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.root_key_providers import BothProviders
from archive_store.foundation.vault import VaultRootKeys
from archive_store.scans.documents import Scan
from archive_store.scans.rotation import KeyUse, rewrap_keys, root_key_uses
from archive_store.scans.upload_documents import UploadStatus
from archive_store.scans.uploads import begin_upload, find_upload, finish_left, receive
from tests.foundation.vault_double import SERVER, VaultDouble, vault_double
from tests.scans.test_pipeline import NAME, body, filed, pdf, read_whole, refused
from tests.school import School


@pytest.fixture
def double() -> Iterator[VaultDouble]:
    with vault_double() as running:
        yield running


def with_vault(school: School, double: VaultDouble) -> School:
    vault = VaultRootKeys(double.url, token=SecretStr(SERVER))
    both = BothProviders(school.store.root_keys, vault, first=vault)
    return School(replace(school.store, root_keys=both))


async def test_scans_are_filed_and_read_with_a_root_key_in_vault(school: School, double: VaultDouble) -> None:
    school, content = with_vault(school, double), pdf(5000)
    scan = await filed(school, content)
    assert await root_key_uses(school.store) == {"vault:registrar:v1": KeyUse(1, 0)}
    assert await read_whole(school, scan) == content
    double.rotate()
    assert await rewrap_keys(school.store, school.store.clock.now()) == 1
    assert await root_key_uses(school.store) == {"vault:registrar:v2": KeyUse(1, 0)}
    double.min_decryption_version = 2
    assert await read_whole(school, scan) == content


async def test_a_school_that_changes_over_has_all_keys_wrapped_anew(
    school: School, double: VaultDouble
) -> None:
    content = pdf(5000)
    scan = await filed(school, content)
    later = with_vault(school, double)
    assert await read_whole(later, scan) == content
    assert await rewrap_keys(later.store, later.store.clock.now()) == 1
    assert await read_whole(later, scan) == content
    # And back, with Vault still there.
    back = School(replace(later.store, root_keys=backwards(later)))
    assert await rewrap_keys(back.store, back.store.clock.now()) == 1
    assert await read_whole(school, scan) == content


def backwards(school: School) -> BothProviders:
    both = school.store.root_keys
    assert isinstance(both, BothProviders)
    return BothProviders(both._keyring, both._vault, first=both._keyring)


async def test_while_vault_is_sealed_all_is_to_be_tried_again_and_then_goes_on(
    school: School, double: VaultDouble
) -> None:
    school, content = with_vault(school, double), pdf(5000)
    scan = await filed(school, content)
    student, viewer = await school.student(), await school.viewer("archive")
    upload = await begin_upload(school.store, viewer, student.key, NAME, length=len(content))
    await receive(school.store, viewer, upload.id, 0, body(content[:2000]))
    before = await school.counts()
    double.sealed = True
    assert await refused(filed(school, content)) is ErrorCode.TRY_AGAIN
    assert await refused(read_whole(school, scan)) is ErrorCode.TRY_AGAIN
    rest = body(content[2000:])
    assert await refused(receive(school.store, viewer, upload.id, 2000, rest)) is ErrorCode.TRY_AGAIN
    after = await school.counts()
    for name in ("scans", "archive_files", "scan_uploads"):
        assert after[name] == before[name]
    double.sealed = False
    found = await find_upload(school.store, viewer, upload.id)
    assert (found.status, found.refusal) == (UploadStatus.UPLOADING, None)
    taken = await receive(school.store, viewer, upload.id, found.offset, body(content[found.offset :]))
    assert taken.status is UploadStatus.FILED
    assert await read_whole(school, await stored(school, upload.id)) == content
    assert await read_whole(school, scan) == content


async def test_what_vault_kept_from_being_filed_is_filed_by_the_worker(
    school: School, double: VaultDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    import archive_store.scans.uploads as uploads

    school, content = with_vault(school, double), pdf(5000)
    student, viewer = await school.student(), await school.viewer("archive")
    upload = await begin_upload(school.store, viewer, student.key, NAME, length=len(content))
    finish = uploads.finish

    async def sealed_at_the_end(*told: object) -> object:
        double.sealed = True
        return await finish(*told)  # type: ignore[arg-type]

    monkeypatch.setattr(uploads, "finish", sealed_at_the_end)
    with pytest.raises(RegistrarError) as caught:
        await receive(school.store, viewer, upload.id, 0, body(content))
    assert caught.value.code is ErrorCode.TRY_AGAIN
    monkeypatch.undo()
    assert await finish_left(school.store, school.store.clock.now()) == 0
    double.sealed = False
    assert await finish_left(school.store, school.store.clock.now()) == 1
    assert await read_whole(school, await stored(school, upload.id)) == content


async def stored(school: School, scan_id: ObjectId) -> Scan:
    return Scan.model_validate(await school.store.database.collection(Scan).find_one({"_id": scan_id}))
