"""Keeps one server process for another process, and ends it when that one has ended, however it ended.

Run as a script: `keeper.py PATIENCE COMMAND…`. The keeper's standard input is a pipe that its owner holds
open and never writes to, so its end says that the owner is gone or wants the server stopped. The server then
gets SIGTERM and, after PATIENCE seconds, SIGKILL. Standard library only: it starts once for each server.

A separate process rather than the kernel's parent-death signal in the owner: that one follows the starting
*thread*, and would end the servers with it.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import subprocess
import sys

_PR_SET_PDEATHSIG = 1
_LOOK_EVERY_SECONDS = 0.25
_libc = ctypes.CDLL(None, use_errno=True)


def _end_with_keeper() -> None:
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def keep(command: list[str], patience: float) -> int:
    """The server's exit status, once it has ended."""
    owner = os.getppid()
    wanted = True

    def told_to_stop(_signal: int, _frame: object) -> None:
        nonlocal wanted
        wanted = False

    signal.signal(signal.SIGTERM, told_to_stop)
    server = subprocess.Popen(  # noqa: S603
        command,
        stdin=subprocess.DEVNULL,
        preexec_fn=_end_with_keeper,  # noqa: PLW1509 - there is one thread here
    )
    while wanted and server.poll() is None:
        readable, _, _ = select.select([sys.stdin.fileno()], [], [], _LOOK_EVERY_SECONDS)
        # A process the owner forked may hold the pipe open after the owner's end.
        if readable or os.getppid() != owner:
            break
    server.terminate()
    try:
        return server.wait(patience)
    except subprocess.TimeoutExpired:
        server.kill()
        return server.wait()


if __name__ == "__main__":
    sys.exit(abs(keep(sys.argv[2:], float(sys.argv[1]))))
