"""The embedded stack of development and tests: a MongoDB replica set of one and an S3 server, from wheels.

Both listen on 127.0.0.1 only, without TLS, and their inner ports ask for no password: never a school's data.
All they keep is in one directory, which a lock guards; it survives a restart, the ports do not.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from api.dev.mongodb import REPLICA_SET, start_mongodb
from api.dev.processes import Child, PortTakenError, StackError, free_ports, port_is_free
from api.dev.programs import require_programs
from api.dev.s3 import PORTS, S3Keys, start_s3

__all__ = ["EmbeddedStack", "Endpoints", "StackError"]

READY_WITHIN_SECONDS = 90.0
_MARKER = "registrar-data"
_LOCK = "lock"
_ATTEMPTS = 3


@dataclass(frozen=True)
class Endpoints:
    """Where the servers of a running stack listen, and the S3 server's keys."""

    mongodb_url: str
    s3_endpoint: str
    s3_access_key: str
    s3_secret_key: str = field(repr=False)
    s3_bucket: str = "registrar-scans"

    def settings(self) -> dict[str, Any]:
        """The settings that point at them."""
        return {
            "mongodb_url": self.mongodb_url,
            "s3_endpoint": self.s3_endpoint,
            "s3_access_key": self.s3_access_key,
            "s3_secret_key": self.s3_secret_key,
            "s3_secure": False,
        }


class EmbeddedStack:
    """`with EmbeddedStack(directory) as stack:` – real servers until the block or this process ends.

    Ports are free ones unless given. `start` may be called in any thread; StackError says in one line what
    stands in the way.
    """

    def __init__(
        self, directory: Path, *, mongodb_port: int | None = None, s3_port: int | None = None
    ) -> None:
        self.directory = directory.absolute()
        self._wanted = (mongodb_port, s3_port)
        self._endpoints: Endpoints | None = None
        self._lock: int | None = None
        self._children: list[Child] = []

    @property
    def endpoints(self) -> Endpoints:
        if self._endpoints is None:
            raise StackError("the embedded stack is not running")
        return self._endpoints

    @property
    def mongodb_url(self) -> str:
        return self.endpoints.mongodb_url

    @property
    def s3_endpoint(self) -> str:
        return self.endpoints.s3_endpoint

    @property
    def s3_access_key(self) -> str:
        return self.endpoints.s3_access_key

    @property
    def s3_secret_key(self) -> str:
        return self.endpoints.s3_secret_key

    @property
    def s3_bucket(self) -> str:
        return self.endpoints.s3_bucket

    def settings(self) -> dict[str, Any]:
        return self.endpoints.settings()

    def start(self) -> EmbeddedStack:
        require_programs()
        for port in self._wanted:
            if port is not None and not port_is_free(port):
                raise StackError(f"port {port} is in use")
        self._take_directory()
        try:
            self._start_servers()
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Stop the servers, last started first; safe to call again."""
        self._endpoints = None
        while self._children:
            self._children.pop().stop()
        self._release_lock()

    def reset(self) -> None:
        """Remove all data. StackError for a directory that is not a stack's, or whose stack is running."""
        if not self.directory.exists():
            return
        if not (self.directory / _MARKER).exists():
            raise StackError(f"{self.directory} is not Registrar's data; nothing was removed")
        self._take_lock()
        try:
            # The marker goes last, so that a removal cut short can be taken up again.
            for entry in self.directory.iterdir():
                if entry.is_dir() and not entry.is_symlink():
                    shutil.rmtree(entry)
                elif entry.name not in {_MARKER, _LOCK}:
                    entry.unlink()
            (self.directory / _LOCK).unlink()
            (self.directory / _MARKER).unlink()
            self.directory.rmdir()
        finally:
            self._release_lock()

    def __enter__(self) -> EmbeddedStack:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _take_directory(self) -> None:
        marker = self.directory / _MARKER
        if self.directory.exists() and not marker.exists() and any(self.directory.iterdir()):
            raise StackError(f"{self.directory} holds something other than Registrar's data")
        self.directory.mkdir(parents=True, exist_ok=True)
        self.directory.chmod(0o700)
        marker.touch()
        self._take_lock()

    def _take_lock(self) -> None:
        lock = os.open(self.directory / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(lock)
            raise StackError(f"another stack uses {self.directory}, or is still ending") from error
        self._lock = lock

    def _release_lock(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _start_servers(self) -> None:
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                self._start_servers_once()
            except PortTakenError:
                while self._children:
                    self._children.pop().stop()
                if attempt == _ATTEMPTS:
                    raise
            else:
                return

    def _start_servers_once(self) -> None:
        ports = free_ports(1 + PORTS)
        for place, wanted in enumerate(self._wanted):
            ports[place] = wanted or ports[place]
        mongodb_port, *s3_ports = ports
        # The keepers hold the lock too: it opens when the servers have ended, even if we are killed before.
        held = [self._lock] if self._lock is not None else []
        within = READY_WITHIN_SECONDS
        self._children.append(start_mongodb(self.directory, mongodb_port, ready_within=within, held=held))
        self._children.append(start_s3(self.directory, s3_ports, ready_within=within, held=held))
        keys = S3Keys.kept_in(self.directory)
        self._endpoints = Endpoints(
            mongodb_url=f"mongodb://127.0.0.1:{mongodb_port}/?replicaSet={REPLICA_SET}",
            s3_endpoint=f"127.0.0.1:{s3_ports[0]}",
            s3_access_key=keys.access_key,
            s3_secret_key=keys.secret_key,
        )
