"""Publishing checkpoints, so that a second party holds them: into a folder, and to witnesses (C2SP tlog-witness).

What is published tells how many entries there are and nothing of what they say.
"""

from __future__ import annotations

import asyncio
import base64
from datetime import date, datetime
from pathlib import Path
from typing import NamedTuple

import httpx
from prometheus_client import Gauge

from api.worker import Worker
from archive_store.audit.log import (
    Checkpoint,
    ForgedLogError,
    consistency_proof,
    newest_checkpoint,
    root_of,
)
from archive_store.audit.witnesses import Witness, keep_cosignature, keep_size, size_held_by
from archive_store.foundation.clock import school_day
from archive_store.foundation.errors import RegistrarError
from archive_store.foundation.settings import Settings
from archive_store.foundation.store import Store

LEASE_NAME = "audit-publisher"
ANSWER_WITHIN_SECONDS = 5.0
PUSHED_WITHIN_SECONDS = 15.0  # all of it, before the lease ends
_ANSWER_LIMIT = 64 * 1024
_SIZE_TYPE = "text/x.tlog.size"

_HELD = Gauge("registrar_audit_witnessed_entries", "Entries under the newest cosignature.", ["witness"])


class WitnessError(Exception):
    """A checkpoint was not cosigned or not published; the message says why."""


class _Answer(NamedTuple):
    status: int
    content_type: str
    text: str


async def publish_checkpoint(store: Store, _at: datetime) -> int:
    """The job: publish the newest checkpoint where it is not yet; returns to how many. All are tried."""
    checkpoint = await newest_checkpoint(store)
    if checkpoint is None:
        return 0
    settings, done = store.settings, 0
    faults: list[Exception] = []
    if settings.audit_publish_folder is not None:
        try:
            done += await _publish(store, settings.audit_publish_folder, checkpoint)
        except (OSError, WitnessError, ForgedLogError, RegistrarError) as error:
            faults.append(error)
    witnesses = witnesses_of(settings)
    # Packed, a small answer could be one of any size.
    headers = {"Accept-Encoding": "identity"}
    async with httpx.AsyncClient(timeout=ANSWER_WITHIN_SECONDS, headers=headers) as client:
        pushed = await asyncio.gather(
            *(_push_in_time(store, client, witness, checkpoint) for witness in witnesses),
            return_exceptions=True,
        )
    faults += [
        WitnessError(f"{witness.name}: {answer or type(answer).__name__}")
        for witness, answer in zip(witnesses, pushed, strict=True)
        if isinstance(answer, Exception)
    ]
    if faults:
        raise ExceptionGroup("checkpoints were not published to all", faults)
    return done + sum(answer for answer in pushed if isinstance(answer, int))


def witnesses_of(settings: Settings) -> list[Witness]:
    """ValueError where a setting names none."""
    return [Witness.parse(told) for told in settings.audit_witnesses]


def publisher_of(store: Store) -> list[Worker]:
    """A worker of its own, since a witness may be slow; none where nothing is to be published."""
    settings = store.settings
    if not settings.worker_seconds or not (settings.audit_publish_folder or settings.audit_witnesses):
        return []
    jobs = {"audit.publish": publish_checkpoint}
    return [Worker(store, jobs, seconds=settings.worker_seconds, lease_name=LEASE_NAME)]


async def _publish(store: Store, folder: Path, checkpoint: Checkpoint) -> int:
    """`checkpoint` is the newest, `<day>.checkpoint` the last of each day; each replaced whole, if it continues it.

    Evidence of a history that this one does not continue stays where it is.
    """
    newest = folder / "checkpoint"
    published = await asyncio.to_thread(_read, newest)
    if published == checkpoint.note:
        return 0
    if published is not None:
        try:
            _, size, root = published.splitlines()[:3]
            held, told = int(size), base64.b64decode(root, validate=True)
        except ValueError:
            raise WitnessError(f"{newest} is no checkpoint; nothing was published") from None
        if held > checkpoint.size or await root_of(store, held) != told:
            raise WitnessError(f"the log does not continue what {newest} has; nothing was published")
    await asyncio.to_thread(_write, folder, school_day(store.clock.now()), checkpoint.note)
    return 1


def _read(file: Path) -> str | None:
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return None


def _write(folder: Path, day: date, note: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for file in (folder / f"{day.isoformat()}.checkpoint", folder / "checkpoint"):
        written = file.with_name(f".{file.name}")
        written.write_text(note, encoding="utf-8")
        written.replace(file)


async def _push_in_time(
    store: Store, client: httpx.AsyncClient, witness: Witness, checkpoint: Checkpoint
) -> int:
    async with asyncio.timeout(PUSHED_WITHIN_SECONDS):
        return await _push(store, client, witness, checkpoint)


async def _push(store: Store, client: httpx.AsyncClient, witness: Witness, checkpoint: Checkpoint) -> int:
    held = await size_held_by(store, witness)
    _HELD.labels(witness.name).set(held)
    if held == checkpoint.size:
        return 0
    answer = await _add_checkpoint(store, client, witness, held, checkpoint)
    if answer.status == 409 and answer.content_type.startswith(_SIZE_TYPE):
        # It holds another size than we remember, such as after a restored backup.
        held = _told_size(answer, checkpoint)
        await keep_size(store, witness, held)
        answer = await _add_checkpoint(store, client, witness, held, checkpoint)
    if answer.status in (409, 422):
        raise WitnessError("it holds another history than this")
    if answer.status != 200:
        raise WitnessError(f"it answered {answer.status}")
    lines = [line for line in answer.text.splitlines() if line]
    ours = [line for line in lines if witness.has_cosigned(checkpoint.text, line)]
    if not ours:
        raise WitnessError("its answer has no signature by its key")
    await keep_cosignature(store, witness, checkpoint, ours[0])
    _HELD.labels(witness.name).set(checkpoint.size)
    return 1


def _told_size(answer: _Answer, checkpoint: Checkpoint) -> int:
    told = answer.text.strip()
    if not (told.isascii() and told.isdigit() and len(told) < 20):
        raise WitnessError("it told no size")
    if int(told) > checkpoint.size:
        raise WitnessError(f"it holds {told} entries, more than there are here")
    return int(told)


async def _add_checkpoint(
    store: Store, client: httpx.AsyncClient, witness: Witness, held: int, checkpoint: Checkpoint
) -> _Answer:
    proof = await consistency_proof(store, held, checkpoint.size)
    lines = [f"old {held}", *(base64.b64encode(hashed).decode() for hashed in proof), "", checkpoint.note]
    body = "\n".join(lines).encode()
    async with client.stream("POST", f"{witness.url}/add-checkpoint", content=body) as answer:
        if answer.headers.get("content-encoding", "identity") != "identity":
            raise WitnessError("its answer is packed")
        told = b""
        async for part in answer.aiter_raw():
            told += part
            if len(told) > _ANSWER_LIMIT:
                raise WitnessError(f"its answer has more than {_ANSWER_LIMIT} bytes")
        kind = answer.headers.get("content-type", "")
        return _Answer(answer.status_code, kind, told.decode("utf-8", errors="replace"))
