"""Publishing checkpoints, so that a second party holds them: into a folder, and to witnesses (C2SP tlog-witness).

What is published tells how many entries there are and nothing of what they say.
"""

from __future__ import annotations

import asyncio
import base64
from datetime import datetime
from pathlib import Path

import httpx
from prometheus_client import Gauge

from api.worker import Worker
from archive_store.audit.log import Checkpoint, consistency_proof, newest_checkpoint
from archive_store.audit.witnesses import Witness, keep_cosignature, keep_size, size_held_by
from archive_store.foundation.clock import school_day
from archive_store.foundation.settings import Settings
from archive_store.foundation.store import Store

LEASE_NAME = "audit-publisher"
ANSWER_WITHIN_SECONDS = 5.0
_ANSWER_LIMIT = 64 * 1024
_SIZE_TYPE = "text/x.tlog.size"

_HELD = Gauge("registrar_audit_witnessed_entries", "Entries under the newest cosignature.", ["witness"])


class WitnessError(Exception):
    """A witness did not cosign; the message says why."""


async def publish_checkpoint(store: Store, _at: datetime) -> int:
    """The job: publish the newest checkpoint where it is not yet; returns to how many. All are tried."""
    checkpoint = await newest_checkpoint(store)
    if checkpoint is None:
        return 0
    settings, done = store.settings, 0
    faults: list[Exception] = []
    if settings.audit_publish_folder is not None:
        try:
            done += await asyncio.to_thread(_write, settings.audit_publish_folder, checkpoint)
        except OSError as error:
            faults.append(error)
    witnesses = witnesses_of(settings)
    async with httpx.AsyncClient(timeout=ANSWER_WITHIN_SECONDS) as client:
        pushed = await asyncio.gather(
            *(_push(store, client, witness, checkpoint) for witness in witnesses), return_exceptions=True
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


def _write(folder: Path, checkpoint: Checkpoint) -> int:
    """`checkpoint` is the newest, `<day>.checkpoint` the last of each day; each replaced whole."""
    newest = folder / "checkpoint"
    if newest.exists() and newest.read_text(encoding="utf-8") == checkpoint.note:
        return 0
    folder.mkdir(parents=True, exist_ok=True)
    for file in (folder / f"{school_day(checkpoint.at).isoformat()}.checkpoint", newest):
        written = file.with_name(f".{file.name}")
        written.write_text(checkpoint.note, encoding="utf-8")
        written.replace(file)
    return 1


async def _push(store: Store, client: httpx.AsyncClient, witness: Witness, checkpoint: Checkpoint) -> int:
    held = await size_held_by(store, witness)
    _HELD.labels(witness.name).set(held)
    if held == checkpoint.size:
        return 0
    answer = await _add_checkpoint(store, client, witness, held, checkpoint)
    if answer.status_code == 409 and answer.headers.get("content-type", "").startswith(_SIZE_TYPE):
        # It holds another size than we remember, such as after a restored backup.
        held = _told_size(answer, checkpoint)
        await keep_size(store, witness, held)
        answer = await _add_checkpoint(store, client, witness, held, checkpoint)
    if answer.status_code in (409, 422):
        raise WitnessError("it holds another history than this")
    if answer.status_code != 200:
        raise WitnessError(f"it answered {answer.status_code}")
    lines = [line for line in answer.text[:_ANSWER_LIMIT].splitlines() if line]
    ours = [line for line in lines if witness.has_cosigned(checkpoint.text, line)]
    if not ours:
        raise WitnessError("its answer has no signature by its key")
    await keep_cosignature(store, witness, checkpoint, ours[0])
    _HELD.labels(witness.name).set(checkpoint.size)
    return 1


def _told_size(answer: httpx.Response, checkpoint: Checkpoint) -> int:
    told = answer.text.strip()
    if not (told.isascii() and told.isdigit() and len(told) < 20):
        raise WitnessError("it told no size")
    if int(told) > checkpoint.size:
        raise WitnessError(f"it holds {told} entries, more than there are here")
    return int(told)


async def _add_checkpoint(
    store: Store, client: httpx.AsyncClient, witness: Witness, held: int, checkpoint: Checkpoint
) -> httpx.Response:
    proof = await consistency_proof(store, held, checkpoint.size)
    lines = [f"old {held}", *(base64.b64encode(hashed).decode() for hashed in proof), "", checkpoint.note]
    return await client.post(f"{witness.url}/add-checkpoint", content="\n".join(lines).encode())
