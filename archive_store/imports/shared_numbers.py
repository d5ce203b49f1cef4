"""Which rows of a file share a number: found by MongoDB among the keyed digests of the blocks."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from bson import ObjectId
from pymongo import UpdateOne

from archive_store.foundation.database import Row
from archive_store.foundation.store import Store
from archive_store.imports.documents import BLOCKS, ImportBatch
from archive_store.imports.roster_files import SheetRow
from archive_store.imports.rules import UNIQUE_FIELDS, RowCheck, shared_number_error, with_error
from archive_store.imports.staging import load_block, numbers_of, reading, stored_map

# Of a number that stands in very many rows.
_OTHERS_NAMED = 10


async def check_numbers_of_file(store: Store, batch: ImportBatch) -> None:
    """Let the blocks tell the numbers of their rows by the batch's mapping; done again it does the same."""
    assert batch.mapping is not None  # noqa: S101 - asked by the caller
    columns = stored_map(batch.mapping)
    for number in range(batch.blocks):
        block = await load_block(store, batch.key, number)
        rows = [SheetRow(number, texts) for number, texts in block["texts"]]
        numbers = await reading.run(numbers_of, store, columns, rows)
        await store.database.mongo[BLOCKS].update_one(  # house-rule: no record
            {"_id": block["_id"]}, {"$set": {"numbers": numbers}}
        )
    await mark_shared(store, batch.key)


async def mark_shared(store: Store, batch_id: ObjectId) -> None:
    """Write to each block which of its rows share a number: every row of such a group is refused.

    The numbers go in the order of UNIQUE_FIELDS; of rows that were all reported already, no other is.
    """
    found = await store.database.mongo[BLOCKS].aggregate(
        [
            {"$match": {"batch_id": batch_id}},
            {"$unwind": "$numbers"},
            {
                "$group": {
                    "_id": {"f": "$numbers.f", "d": "$numbers.d"},
                    "rows": {"$push": {"b": "$_id", "r": "$numbers.r"}},
                }
            },
            {"$match": {"rows.1": {"$exists": True}}},
            {"$project": {"rows": 1}},
            {"$sort": {"_id.f": 1, "rows.r": 1}},
        ],
        allowDiskUse=True,
    )
    by_block: dict[ObjectId, list[Row]] = defaultdict(list)
    reported: set[int] = set()
    async for group in found:
        rows = sorted(row["r"] for row in group["rows"])
        if reported.issuperset(rows):
            continue
        for row in group["rows"]:
            others = ", ".join(str(r) for r in rows[: _OTHERS_NAMED + 1] if r != row["r"])
            more = " …" if len(rows) > _OTHERS_NAMED + 1 else ""
            shared = {"r": row["r"], "f": group["_id"]["f"], "others": others + more}
            by_block[row["b"]].append(shared)
        reported.update(rows)
    if by_block:
        await store.database.mongo[BLOCKS].bulk_write(  # house-rule: no record
            [UpdateOne({"_id": key}, {"$set": {"shared": shared}}) for key, shared in by_block.items()]
        )
    # Not before: whoever runs the batch beside must never find none where there are some.
    unmarked = {"batch_id": batch_id, "_id": {"$nin": list(by_block)}, "shared": {"$ne": []}}
    await store.database.mongo[BLOCKS].update_many(  # house-rule: no record
        unmarked, {"$set": {"shared": []}}
    )


def without_shared(checks: list[RowCheck], block: dict[str, Any]) -> list[RowCheck]:
    """The checks of a block's rows, with the error of a number that another row has as well."""
    by_row = {check.sheet_row: check for check in checks} if block["shared"] else {}
    for held in block["shared"]:
        error = shared_number_error(UNIQUE_FIELDS[held["f"]], held["others"])
        by_row[held["r"]] = with_error(by_row[held["r"]], error)
    return list(by_row.values()) or checks
