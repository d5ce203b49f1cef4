"""The embedded stack is real, keeps its data, guards its directory, and leaves no process behind."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from minio import Minio
from minio.commonconfig import COMPLIANCE
from minio.error import S3Error
from minio.retention import Retention
from pymongo import MongoClient

from api.dev.programs import missing_packages, node_program
from api.dev.stack import EmbeddedStack, Endpoints, StackError


def objects_of(endpoints: Endpoints, secret: str | None = None) -> Minio:
    return Minio(
        endpoints.s3_endpoint,
        access_key=endpoints.s3_access_key,
        secret_key=secret or endpoints.s3_secret_key,
        secure=False,
    )


@contextlib.contextmanager
def mongo_of(endpoints: Endpoints) -> Iterator[MongoClient[dict[str, Any]]]:
    with MongoClient[dict[str, Any]](endpoints.mongodb_url, serverSelectionTimeoutMS=10_000) as client:
        yield client


def servers_of(directory: Path) -> set[int]:
    """Ids of the processes whose command line names the directory."""
    found = set()
    for process in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if process.name.isdigit() and str(directory).encode() in (process / "cmdline").read_bytes():
                found.add(int(process.name))
    return found - {os.getpid()}


def wait_until_gone(directory: Path) -> None:
    deadline = time.monotonic() + 40
    while servers_of(directory):
        assert time.monotonic() < deadline, "servers are still running"
        time.sleep(0.1)


def insert_in_transaction(endpoints: Endpoints, name: str, *, abort: bool = False) -> None:
    with mongo_of(endpoints) as client, client.start_session() as session:

        def insert(session: Any) -> None:
            client.trial.rows.insert_one({"name": name}, session=session)
            if abort:
                raise RuntimeError

        with contextlib.suppress(RuntimeError):
            session.with_transaction(insert)


def names_in(endpoints: Endpoints) -> set[str]:
    with mongo_of(endpoints) as client:
        return {row["name"] for row in client.trial.rows.find()}


def test_data_survive_restarts_on_other_ports(tmp_path: Path) -> None:
    directory = tmp_path / "data"
    with EmbeddedStack(directory) as first:
        before = first.endpoints
        insert_in_transaction(before, "kept")
        insert_in_transaction(before, "aborted", abort=True)
        bucket = objects_of(before)
        bucket.make_bucket("locked", object_lock=True)
        until = datetime.now(UTC) + timedelta(days=1)
        version = bucket.put_object(
            "locked", "scan", BytesIO(b"first"), 5, retention=Retention(COMPLIANCE, until)
        ).version_id
    assert servers_of(directory) == set()

    with EmbeddedStack(directory) as second:
        after = second.endpoints
        assert after.mongodb_url != before.mongodb_url
        assert (after.s3_access_key, after.s3_secret_key) == (before.s3_access_key, before.s3_secret_key)
        insert_in_transaction(after, "added")
        assert names_in(after) == {"kept", "added"}
        bucket = objects_of(after)
        # New objects must not take the places of old ones.
        bucket.put_object("locked", "another", BytesIO(b"second"), 6)
        assert bucket.get_object("locked", "scan").read() == b"first"
        with pytest.raises(S3Error):
            bucket.remove_object("locked", "scan", version_id=version)
        assert bucket.get_object("locked", "scan", version_id=version).read() == b"first"


def test_side_by_side_and_one_per_directory(tmp_path: Path, stack: Endpoints) -> None:
    with EmbeddedStack(tmp_path / "data") as other:
        insert_in_transaction(other.endpoints, "only in the other")
        assert "only in the other" not in names_in(stack)
        assert other.s3_secret_key != stack.s3_secret_key
        with pytest.raises(S3Error):
            list(objects_of(other.endpoints, secret=stack.s3_secret_key).list_buckets())

        with pytest.raises(StackError, match="another stack uses"):
            EmbeddedStack(tmp_path / "data").start()
        with pytest.raises(StackError, match="another stack uses"):
            EmbeddedStack(tmp_path / "data").reset()
        assert names_in(other.endpoints) == {"only in the other"}
    with pytest.raises(StackError, match="not running"):
        _ = other.mongodb_url


def test_servers_outlive_the_thread_that_started_them(tmp_path: Path) -> None:
    stack = EmbeddedStack(tmp_path / "data")
    thread = threading.Thread(target=stack.start)
    thread.start()
    thread.join()
    try:
        insert_in_transaction(stack.endpoints, "alive")
        assert names_in(stack.endpoints) == {"alive"}
    finally:
        stack.stop()


OWNER = """
import signal, sys, time
from pathlib import Path
from api.dev.stack import EmbeddedStack
signal.signal(signal.SIGINT, signal.default_int_handler)
with EmbeddedStack(Path(sys.argv[1])) as stack:
    print(stack.mongodb_url, flush=True)
    time.sleep(600)
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_servers_end_with_their_owner(tmp_path: Path, how: signal.Signals) -> None:
    directory = tmp_path / "data"
    # As under nohup, or in the background of a script: ignoring SIGINT is inherited.
    ignoring = ["sh", "-c", "trap '' INT; exec \"$@\"", "sh"]
    command = [*ignoring, sys.executable, "-c", OWNER, str(directory)]
    owner = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert owner.stdout is not None
        assert owner.stdout.readline().startswith("mongodb://")
        servers = servers_of(directory) - {owner.pid}
        assert len(servers) == 4, "two servers with a keeper each"
        # Ctrl-C in a terminal goes to the owner's group, in which no server may be.
        assert all(os.getpgid(server) != os.getpgid(owner.pid) for server in servers)

        owner.send_signal(how)
        owner.wait(60)
    finally:
        owner.kill()
        owner.wait()
    wait_until_gone(directory)
    # What they left can be opened again, so the lock is free and the shutdown was clean.
    EmbeddedStack(directory).reset()
    assert not directory.exists()


def test_a_server_ends_with_its_keeper(tmp_path: Path) -> None:
    directory = tmp_path / "data"
    with EmbeddedStack(directory) as stack:
        keeper = stack._children[0]._keeper
        os.kill(keeper.pid, signal.SIGKILL)
        keeper.wait()
        wait_until_gone(directory / "mongodb")


def test_reset_and_start_refuse_what_is_not_theirs(tmp_path: Path) -> None:
    foreign = tmp_path / "letters"
    foreign.mkdir()
    (foreign / "letter.txt").write_text("keep me")
    with pytest.raises(StackError, match="nothing was removed"):
        EmbeddedStack(foreign).reset()
    with pytest.raises(StackError, match="something other"):
        EmbeddedStack(foreign).start()
    assert [file.name for file in foreign.iterdir()] == ["letter.txt"]
    EmbeddedStack(tmp_path / "nothing here").reset()


def test_reset_does_not_follow_links(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "letter.txt").write_text("keep me")
    directory = tmp_path / "data"
    directory.mkdir()
    (directory / "registrar-data").touch()
    (directory / "link").symlink_to(outside)
    EmbeddedStack(directory).reset()
    assert not directory.exists()
    assert (outside / "letter.txt").read_text() == "keep me"


def test_a_wanted_port_in_use_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(StackError, match=f"port {port} is in use"):
            EmbeddedStack(tmp_path / "data", mongodb_port=port).start()
    assert not (tmp_path / "data").exists()


def test_another_port_is_tried_when_one_was_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import api.dev.stack as module

    chosen = module.free_ports
    with socket.create_server(("127.0.0.1", 0)) as listener:
        taken = iter([listener.getsockname()[1]])

        def choose(count: int) -> list[int]:
            ports = chosen(count)
            return [*(next(taken, port) for port in ports[:1]), *ports[1:]]

        monkeypatch.setattr(module, "free_ports", choose)
        with EmbeddedStack(tmp_path / "data") as stack:
            assert str(listener.getsockname()[1]) not in stack.mongodb_url
            insert_in_transaction(stack.endpoints, "kept")


def test_secrets_are_private_and_not_shown(tmp_path: Path) -> None:
    from api.dev.s3 import S3Keys

    keys = S3Keys.kept_in(tmp_path)
    assert S3Keys.kept_in(tmp_path) == keys
    assert (tmp_path / "s3.json").stat().st_mode & 0o777 == 0o600
    assert keys.secret_key not in repr(keys)
    assert keys.secret_key not in repr(Endpoints("mongodb://", "s3", keys.access_key, keys.secret_key))


def test_node_is_the_locked_one() -> None:
    program = node_program()
    assert program.is_relative_to(sys.prefix)
    assert subprocess.run([program, "-p", "1+1"], capture_output=True, text=True).stdout == "2\n"


def test_missing_libraries_are_named_as_packages(tmp_path: Path) -> None:
    """A program that lacks libraries, built from a real one by renaming two of those it asks for."""
    from api.dev.programs import mongod_program

    program = mongod_program()
    assert missing_packages(program) == []
    broken = tmp_path / "mongod"
    broken.write_bytes(program.read_bytes().replace(b"\0libcurl.so.4\0", b"\0libcurl.so.7\0", 1))
    broken.chmod(0o700)
    assert missing_packages(broken) == ["libcurl.so.7"]

    script = tmp_path / "script"
    script.write_text("#!/bin/sh\necho 'Illegal instruction' >&2; exit 132\n")
    script.chmod(0o700)
    with pytest.raises(StackError, match="Illegal instruction"):
        missing_packages(script)
    with pytest.raises(StackError, match="glibc"):
        missing_packages(tmp_path / "absent")
