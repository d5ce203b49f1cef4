"""MongoDB of the embedded stack: a replica set of one member, which transactions need."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pymongo import MongoClient
from pymongo.errors import PyMongoError

from api.dev.processes import Child
from api.dev.programs import mongod_program

REPLICA_SET = "registrar"


def start_mongodb(directory: Path, port: int, *, ready_within: float, held: list[int]) -> Child:
    """Start `mongod` on 127.0.0.1:`port` with the data of `directory`, and wait until it takes writes."""
    data = directory / "mongodb"
    data.mkdir(exist_ok=True)
    child = Child(
        "mongod",
        [
            str(mongod_program()),
            *("--dbpath", str(data), "--port", str(port), "--bind_ip", "127.0.0.1", "--nounixsocket"),
            *("--replSet", REPLICA_SET, "--wiredTigerCacheSizeGB", "0.5", "--oplogSize", "256"),
            *("--setParameter", "diagnosticDataCollectionEnabled=false"),
            # A set of one has nobody to hand over to; by default it waits 15 s for somebody.
            *("--setParameter", "shutdownTimeoutMillisForSignaledShutdown=0"),
        ],
        directory / "mongod.log",
        patience=30,
        held=held,
    )
    try:
        child.wait_until("mongod answered", ready_within, lambda: _answers(port))
        _set_member(port)
        child.wait_until("mongod became primary", ready_within, lambda: _is_primary(port))
    except BaseException:
        child.stop()
        raise
    return child


@contextmanager
def _client(port: int) -> Iterator[MongoClient[dict[str, Any]]]:
    # A client that saw the server before its initiation keeps a stale topology: a new one each time.
    with MongoClient[dict[str, Any]](
        "127.0.0.1", port, directConnection=True, serverSelectionTimeoutMS=500
    ) as client:
        yield client


def _answers(port: int) -> bool:
    try:
        with _client(port) as client:
            client.admin.command("ping")
    except PyMongoError:
        return False
    return True


def _is_primary(port: int) -> bool:
    try:
        with _client(port) as client:
            return bool(client.admin.command("hello").get("isWritablePrimary"))
    except PyMongoError:
        return False


def _set_member(port: int) -> None:
    """Initiate the set once; later, tell it of the port it has now."""
    member = {"_id": 0, "host": f"127.0.0.1:{port}"}
    with _client(port) as client:
        # Read where it is stored: the command refuses to tell while the set does not know this port.
        config = client.local["system.replset"].find_one()
        if config is None:
            client.admin.command("replSetInitiate", {"_id": REPLICA_SET, "members": [member]})
        elif [kept["host"] for kept in config["members"]] != [member["host"]]:
            config["members"] = [member]
            config["version"] += 1
            client.admin.command("replSetReconfig", config, force=True)
