"""The worker of the audit log's sequencer, and what is measured of it.

It has a lease of its own, shorter than that of the other jobs: whatever they do, an entry is to be covered by a signed
checkpoint within five seconds, even where the process that held the lease was killed.
"""

from __future__ import annotations

from datetime import datetime

from prometheus_client import Counter, Gauge, Histogram

from api.worker import Worker
from archive_store.audit.sequencer import sequence_entries
from archive_store.foundation.store import Store

LEASE_NAME = "audit-sequencer"
LEASE_SECONDS = 3.0

_LAG = Histogram(
    "registrar_audit_lag_seconds",
    "From the writing of an entry until a signed checkpoint covered it: the oldest of each round.",
    buckets=(0.5, 1, 2, 3, 5, 10, 30, 60, 300, 3600),
)
_WAITING = Gauge(
    "registrar_audit_waiting_entries", "Entries without a place in the log after the last round."
)
_SIZE = Gauge("registrar_audit_log_size", "Entries in the log.")
_REFUSED = Counter("registrar_audit_refused_entries_total", "Entries that were not genuine.")


async def sequence(store: Store, _at: datetime) -> int:
    """The job: one round of the sequencer."""
    done = await sequence_entries(store)
    _WAITING.set(done.waiting)
    _REFUSED.inc(done.refused)
    if done.oldest_at is not None:
        _LAG.observe(max(0.0, (store.clock.now() - done.oldest_at).total_seconds()))
        _SIZE.set(done.size)
    return done.entries


def sequencer_of(store: Store) -> list[Worker]:
    """The sequencer, unless this process shall run none."""
    seconds = store.settings.sequencer_seconds
    if not seconds:
        return []
    jobs = {"audit.sequence": sequence}
    return [Worker(store, jobs, seconds=seconds, lease_seconds=LEASE_SECONDS, lease_name=LEASE_NAME)]
