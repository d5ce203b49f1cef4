"""`registrar dev` as a process: what it prints, and how it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from api.dev.processes import free_ports

LAST_LINE = "Sensitive fields are read for a stated purpose (调阅目的): the header Registrar-Purpose."


@pytest.mark.parametrize("signals", [(signal.SIGINT, signal.SIGINT), (signal.SIGTERM,)])
def test_a_session_ends_quietly(tmp_path: Path, signals: tuple[signal.Signals, ...]) -> None:
    """Started with Ctrl-C ignored, as in the background of a script; a hasty user presses it twice."""
    session = [sys.executable, "-c", "from api.cli.main import main; main()", "dev"]
    options = ["--data", str(tmp_path / "data"), "--port", str(free_ports(1)[0]), "--students", "1"]
    ignoring = ["sh", "-c", "trap '' INT; exec \"$@\"", "sh"]
    errors = tmp_path / "errors"
    with errors.open("wb") as told:
        running = subprocess.Popen(
            [*ignoring, *session, *options],
            stdout=subprocess.PIPE,
            stderr=told,
            text=True,
            env=os.environ | {"COLUMNS": "40", "PYTHONUNBUFFERED": "1"},
        )
        try:
            assert running.stdout is not None
            lines = []
            while line := running.stdout.readline():
                lines.append(line.rstrip("\n"))
                if line.startswith("Sensitive"):
                    break
            # Whole, however narrow the terminal.
            assert lines[-1:] == [LAST_LINE], errors.read_text()
            assert any(line.endswith("Ctrl-C stops everything.") for line in lines)
            for number, sent in enumerate(signals):
                time.sleep(0.1 * number)
                running.send_signal(sent)
            assert running.wait(60) == 0
            rest = running.stdout.read()
        finally:
            running.kill()
            running.wait()
    assert "Traceback" not in rest + errors.read_text()
