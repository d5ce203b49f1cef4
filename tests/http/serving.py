"""Servers that listen: one of a thread, and one of a process of its own that can be killed and started again."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import uvicorn

from api.dev.processes import free_ports
from api.serve import server_config
from archive_store.foundation.settings import Settings

_ROOT = Path(__file__).parents[2]
# The settings of `registrar dev` on these data, without the worker, which tests run themselves.
_PROGRAM = """
import sys
from pathlib import Path
from api.dev.session import settings_of_dev
from api.serve import serve
quiet = {"worker_seconds": 0.0, "sequencer_seconds": 0.0, "graphiql": False, "port": int(sys.argv[2])}
serve(settings_of_dev(Path(sys.argv[1])).model_copy(update=quiet))
"""


@contextmanager
def running_server(settings: Settings) -> Iterator[str]:
    """The address of a server of its own thread and loop."""
    instance = uvicorn.Server(server_config(settings))
    thread = threading.Thread(target=instance.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 30
    while not instance.started and time.monotonic() < deadline:
        time.sleep(0.05)
    assert instance.started
    try:
        yield f"http://127.0.0.1:{instance.servers[0].sockets[0].getsockname()[1]}"
    finally:
        instance.should_exit = True
        thread.join(20)


class MortalServer:
    """A server process; its address stays the same from start to start."""

    def __init__(self, data: Path) -> None:
        self._data = data
        [self._port] = free_ports(1)
        self.url = f"http://127.0.0.1:{self._port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [sys.executable, "-c", _PROGRAM, str(self._data), str(self._port)]
        self._process = subprocess.Popen(command, cwd=_ROOT, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            assert self._process.poll() is None
            try:
                if httpx.get(f"{self.url}/health/live", trust_env=False).is_success:
                    return
            except httpx.TransportError:
                time.sleep(0.1)
        raise TimeoutError(self.url)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
