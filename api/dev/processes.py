"""Child processes that never outlive us, and the ports they listen on."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from api.dev import keeper

_PORTS = range(20_000, 32_000)  # below the range from which systems give outgoing connections their ports


class StackError(RuntimeError):
    """The embedded stack cannot start; the message is one line for the person who started it."""


class PortTakenError(StackError):
    """Somebody took a port between our choosing it and the server's listening on it."""


class Child:
    """One server process under its keeper, in a session of its own, so that Ctrl-C reaches the parent alone.

    It starts at once and writes to `log_file`; the log of the start before stays beside it as `….previous`.
    `patience` is how many seconds it may take to end by itself. `held` are open files, such as a lock, that
    stay open until it has ended, even when this process has ended before. `leftovers` are files that it makes
    elsewhere and does not always remove. `environment` is added to ours.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        log_file: Path,
        *,
        patience: float,
        held: Sequence[int] = (),
        leftovers: Sequence[Path] = (),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self.log_file = log_file
        self._patience = patience
        self._leftovers = leftovers
        if log_file.exists():
            log_file.replace(log_file.with_name(log_file.name + ".previous"))
        with log_file.open("wb") as log:
            self._keeper = subprocess.Popen(  # noqa: S603 - our own arguments
                [sys.executable, "-I", keeper.__file__, str(patience), *command],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=held,
                env={**os.environ, **(environment or {})},
            )

    def require_running(self) -> None:
        if (status := self._keeper.poll()) is None:
            return
        log = self.log_file.read_text(errors="replace")
        kind = PortTakenError if "address already in use" in log.lower() else StackError
        raise kind(f"{self.name} ended with status {status}; see {self.log_file}")

    def wait_until(self, what: str, seconds: float, probe: Callable[[], bool]) -> None:
        """Probe until it says yes; StackError when the child ends or the time is over."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.require_running()
            if probe():
                return
            time.sleep(0.05)
        raise StackError(f"waited {seconds:.0f} s until {what}; see {self.log_file}")

    def stop(self) -> None:
        """Ask it to end, and after its patience make it; safe to call again."""
        assert self._keeper.stdin is not None  # noqa: S101 - we asked for the pipe
        self._keeper.stdin.close()
        try:
            self._keeper.wait(self._patience + 5)
        except subprocess.TimeoutExpired:
            os.killpg(self._keeper.pid, signal.SIGKILL)
            self._keeper.wait()
        for file in self._leftovers:
            file.unlink(missing_ok=True)


def free_ports(count: int) -> list[int]:
    """Different ports of 127.0.0.1 on which nothing listens now."""
    found: set[int] = set()
    while len(found) < count:
        port = secrets.choice(_PORTS)
        if port_is_free(port):
            found.add(port)
    return list(found)


def port_is_free(port: int) -> bool:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
