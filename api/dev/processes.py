"""Child processes that never outlive us, and the free ports they listen on."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


class StackError(RuntimeError):
    """The embedded stack cannot start; the message is one line for the person who started it."""


def _die_with_parent() -> None:
    # Covers the one end of the parent that it cannot clean up after: SIGKILL.
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class Child:
    """One server process in its own session, so that Ctrl-C reaches the parent alone."""

    def __init__(self, name: str, command: Sequence[str], log_file: Path, *, patience: float) -> None:
        self.name = name
        self._patience = patience
        self.log_file = log_file
        with log_file.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own arguments
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_die_with_parent,
            )

    def require_running(self) -> None:
        if (status := self._process.poll()) is not None:
            raise StackError(f"{self.name} ended with status {status}; see {self.log_file}")

    def stop(self) -> None:
        """Ask it to end, and after `patience` seconds make it."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(self._patience)
            except subprocess.TimeoutExpired:
                os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait()


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 that nothing listens on now."""
    held = []
    try:
        for _ in range(count):
            listener = socket.socket()
            listener.bind(("127.0.0.1", 0))
            held.append(listener)
        return [listener.getsockname()[1] for listener in held]
    finally:
        for listener in held:
            listener.close()
