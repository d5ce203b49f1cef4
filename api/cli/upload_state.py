"""What was sent before, in the user's state directory (XDG): a small file for each paper, so that a command that was
broken off goes on.

Neither a token nor a name is kept, but the path of an upload, which serves its sender alone, or the id of the scan.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path

_KEPT_SECONDS = 90 * 24 * 3600


@dataclass(frozen=True, slots=True)
class Sent:
    """`upload` is the address of an upload that was begun, `scan` the global id once it is filed."""

    upload: str | None = None
    scan: str | None = None


class UploadState:
    """By server, student, name and digest."""

    def __init__(self, server: str) -> None:
        base = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
        self._folder = Path(base) / "registrar" / "uploads"
        self._server = server.rstrip("/")

    def load(self, student: str, name: str, sha256: str) -> Sent:
        try:
            told = json.loads(self._file(student, name, sha256).read_bytes())
            return Sent(upload=told.get("upload"), scan=told.get("scan"))
        except (OSError, ValueError, AttributeError):
            return Sent()

    def keep(self, student: str, name: str, sha256: str, sent: Sent) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = self._file(student, name, sha256)
        part = file.with_suffix(f".{os.getpid()}")
        part.touch(mode=0o600)
        part.write_text(json.dumps({"upload": sent.upload, "scan": sent.scan}))
        part.replace(file)

    def forget(self, student: str, name: str, sha256: str) -> None:
        self._file(student, name, sha256).unlink(missing_ok=True)

    def forget_old(self) -> None:
        """What nobody has gone on with for three months."""
        since = time.time() - _KEPT_SECONDS
        for file in self._folder.glob("*") if self._folder.is_dir() else ():
            if file.stat().st_mtime < since:
                file.unlink(missing_ok=True)

    def _file(self, *parts: str) -> Path:
        key = hashlib.sha256("\0".join((self._server, *parts)).encode()).hexdigest()
        return self._folder / f"{key}.json"
