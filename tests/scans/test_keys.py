"""The keys of scans, and of uploads that are not filed yet."""

from __future__ import annotations

import pytest
from bson import ObjectId

from archive_store.foundation.root_keys import WrappedKey
from archive_store.foundation.store import Store
from archive_store.scans.encryption import DamagedScanError, new_key
from archive_store.scans.keys import (
    archive_file_key,
    new_archive_file,
    scan_data_key,
    unwrap_data_key,
    unwrap_upload_key,
    wrap_data_key,
    wrap_upload_key,
)
from tests.scans.test_pipeline import filed, pdf
from tests.school import School


def test_a_wrapped_data_key_opens_for_its_scan_alone() -> None:
    file_key, data_key, scan_id = new_key(), new_key(), ObjectId()
    wrapped = wrap_data_key(file_key, data_key, scan_id)
    assert len(wrapped) == 60
    assert unwrap_data_key(file_key, wrapped, scan_id) == data_key
    for other_key, other_scan in ((new_key(), scan_id), (file_key, ObjectId())):
        with pytest.raises(DamagedScanError):
            unwrap_data_key(other_key, wrapped, other_scan)


async def test_a_key_of_an_archive_file_opens_for_it_alone(store: Store) -> None:
    mine, other = (await new_archive_file(store, ObjectId()), await new_archive_file(store, ObjectId()))
    assert await archive_file_key(store, mine) != await archive_file_key(store, other)
    moved = other.model_copy(update={"wrapped_key": mine.wrapped_key})
    with pytest.raises(DamagedScanError):
        await archive_file_key(store, moved)


async def test_the_key_of_an_upload_opens_for_it_alone_and_is_none_of_an_archive_file(store: Store) -> None:
    key, upload_id = new_key(), ObjectId()
    wrapped = await wrap_upload_key(store, key, upload_id)
    assert await unwrap_upload_key(store, wrapped, upload_id) == key
    archive_file = await new_archive_file(store, ObjectId())
    as_archive_file = archive_file.model_copy(update={"id": upload_id, "wrapped_key": wrapped.wrapped})
    with pytest.raises(DamagedScanError):
        await archive_file_key(store, as_archive_file)
    as_upload = WrappedKey(archive_file.root_key_id, archive_file.wrapped_key)
    for moved, owner in ((wrapped, ObjectId()), (as_upload, archive_file.key)):
        with pytest.raises(DamagedScanError):
            await unwrap_upload_key(store, moved, owner)


async def test_keys_swapped_between_two_scans_of_a_student_do_not_open(school: School) -> None:
    one, other = await filed(school, pdf(100)), await filed(school, pdf(100))
    scans = school.store.database.collection(type(one))
    await scans.update_one({"_id": one.key}, {"$set": {"wrapped_data_key": other.wrapped_data_key}})
    with pytest.raises(DamagedScanError):
        await scan_data_key(school.store, one.key)
    assert len(await scan_data_key(school.store, other.key)) == 32
