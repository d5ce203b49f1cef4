"""The keys of scans, and of uploads that are not filed yet."""

from __future__ import annotations

import pytest
from bson import ObjectId

from archive_store.scans.encryption import DamagedScanError, new_key
from archive_store.scans.keys import unwrap_data_key, wrap_data_key


def test_a_wrapped_data_key_opens_for_its_scan_alone() -> None:
    file_key, data_key, scan_id = new_key(), new_key(), ObjectId()
    wrapped = wrap_data_key(file_key, data_key, scan_id)
    assert len(wrapped) == 60
    assert unwrap_data_key(file_key, wrapped, scan_id) == data_key
    for other_key, other_scan in ((new_key(), scan_id), (file_key, ObjectId())):
        with pytest.raises(DamagedScanError):
            unwrap_data_key(other_key, wrapped, other_scan)
