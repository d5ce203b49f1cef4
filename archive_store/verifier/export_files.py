"""Files of an export, read so that no folder, however made, can harm: no links, no pipes, no size without a limit."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from archive_store.verifier.findings import MalformedError
from archive_store.verifier.merkle import HASH_SIZE, TILE_BYTES

ENTRIES = "entries.jsonl"
CHECKPOINT = "checkpoint"
_FLAGS = (
    os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
)


def tile_path(level: int, number: int, width: int) -> str:
    """The path of a tile (C2SP tlog-tiles) with `width` hashes, such as `tile/0/x001/067.p/5`."""
    groups = [f"{number % 1000:03d}"]
    while number := number // 1000:
        groups.insert(0, f"x{number % 1000:03d}")
    path = f"tile/{level}/{'/'.join(groups)}"
    return path if width * HASH_SIZE == TILE_BYTES else f"{path}.p/{width}"


class ExportFolder:
    """An export's folder. A file is there if it is a regular one under the folder, not by a link."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._root = os.fspath(folder)
        # Folders that were seen to be none of a link's.
        self._plain = {"."}

    def _is_plain(self, folder: str) -> bool:
        if folder not in self._plain:
            if not self._is_plain(os.path.dirname(folder) or "."):  # noqa: PTH120
                return False
            try:
                if not stat.S_ISDIR(os.lstat(self.folder / folder).st_mode):
                    return False
            except (OSError, ValueError):
                return False
            self._plain.add(folder)
        return True

    def open(self, name: str) -> int | None:
        """A descriptor to read, which the caller closes; None if it is not there."""
        if not self._is_plain(os.path.dirname(name) or "."):  # noqa: PTH120
            return None
        try:
            opened = os.open(f"{self._root}/{name}", _FLAGS)
        except (OSError, ValueError):
            return None
        if not stat.S_ISREG(os.fstat(opened).st_mode):
            os.close(opened)
            return None
        return opened

    def read(self, name: str, limit: int) -> bytes | None:
        """The content, None if it is not there; MalformedError if it is over `limit` bytes or cannot be read."""
        opened = self.open(name)
        if opened is None:
            return None
        # A file object would cost more than the reading of a tile.
        content = b""
        try:
            while len(content) <= limit and (more := os.read(opened, limit + 1 - len(content))):
                content += more
        except OSError as error:
            raise MalformedError("it cannot be read") from error
        finally:
            os.close(opened)
        if len(content) > limit:
            raise MalformedError("it is too long")
        return content

    def tile(self, level: int, number: int, width: int) -> bytes | None:
        """The hashes of a tile, None if it is not there or is of another length."""
        try:
            content = self.read(tile_path(level, number, width), width * HASH_SIZE)
        except MalformedError:
            return None
        return content if content is not None and len(content) == width * HASH_SIZE else None
