"""The child process of `inspect`: looks into one file, which it reads range by range from its parent.

It imports the standard library, Pillow and pypdfium2 alone, and gives up memory, files, processes and core dumps before
it asks for the first byte: what takes it over can open nothing and hold little. Output is flushed at once, so that
what was found before a crash is known.
"""

from __future__ import annotations

import codecs
import io
import resource
import sys
from collections import OrderedDict
from typing import TYPE_CHECKING, BinaryIO

from archive_store.inspection import frames
from archive_store.inspection.findings import IntakeWarning

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_SECONDS = 30
_MEMORY = 1024 * 1024 * 1024
_BLOCKS_KEPT = 32
_ENCODINGS = ("ascii", "latin-1", "utf-8", "utf-16", "cp437", "gb18030")
# Pages whose quality is looked at, spread evenly; all are counted.
_SAMPLED = 20


class Parent:
    """The other end of the pipes."""

    def __init__(self, answers: BinaryIO, out: BinaryIO) -> None:
        self._answers = answers
        self._out = out

    def tell(self, kind: bytes, payload: bytes = b"") -> None:
        self._out.write(frames.HEADER.pack(kind, len(payload)) + payload)
        self._out.flush()

    def warn(self, code: IntakeWarning, page: int = 0) -> None:
        self.tell(frames.WARNING, frames.COUNT.pack(page) + code.encode("ascii"))

    def tell_count(self, pages: int) -> None:
        self.tell(frames.PAGES, frames.COUNT.pack(pages))

    def read(self, offset: int, length: int) -> bytes:
        self.tell(frames.READ, frames.RANGE.pack(offset, length))
        piece = self._answers.read(length)
        if len(piece) != length:
            sys.exit(1)  # the parent is gone
        return piece


class RangeFile(io.RawIOBase):
    """The file, seekable, of which some blocks are kept: the latest that were used."""

    def __init__(self, parent: Parent, size: int) -> None:
        self._parent = parent
        self._size = size
        self._position = 0
        self._blocks: OrderedDict[int, bytes] = OrderedDict()

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        if start + offset < 0:
            raise OSError("before the start of the file")
        self._position = start + offset
        return self._position

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer).cast("B")
        done = 0
        while done < len(view) and self._position < self._size:
            number, start = divmod(self._position, frames.READ_LIMIT)
            piece = self._block(number)[start : start + len(view) - done]
            view[done : done + len(piece)] = piece
            done += len(piece)
            self._position += len(piece)
        return done

    def readall(self) -> bytes:
        rest = max(0, self._size - self._position)
        if rest > frames.READ_LIMIT:
            raise OSError("the file is not to be read whole")
        return self.read(rest) or b""

    def _block(self, number: int) -> bytes:
        if number in self._blocks:
            self._blocks.move_to_end(number)
            return self._blocks[number]
        offset = number * frames.READ_LIMIT
        block = self._parent.read(offset, min(frames.READ_LIMIT, self._size - offset))
        self._blocks[number] = block
        if len(self._blocks) > _BLOCKS_KEPT:
            self._blocks.popitem(last=False)
        return block


def main() -> None:
    """Inspect the file of the arguments: media type, size, most pages."""
    media_type, size, page_limit = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    give_up_rights()
    from archive_store.inspection import ofd, pages, quality

    parent = Parent(sys.stdin.buffer, sys.stdout.buffer)
    file = RangeFile(parent, size)
    if media_type == "application/ofd":
        ofd.inspect_ofd(file, parent, page_limit)
    else:
        try:
            opened = pages.open_pages(file, media_type, page_limit)
        except pages.PasswordError:
            parent.warn(IntakeWarning.PASSWORD_PROTECTED)
        else:
            quality.inspect_pages(opened, parent, sample(opened.count))
    parent.tell(frames.END)


def give_up_rights() -> None:
    """Import what is needed, then take the limits; from then on nothing can be opened, nor a process be started."""
    from archive_store.inspection import ofd, pages, quality  # noqa: F401

    for encoding in _ENCODINGS:
        codecs.lookup(encoding)
    take_limits(memory=_MEMORY, seconds=_SECONDS)


def take_limits(*, memory: int, seconds: int) -> None:
    """From now on no file can be opened or written, no process be started, and no more memory or time be taken."""
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_FSIZE, 0)
    _limit(resource.RLIMIT_AS, memory)
    _limit(resource.RLIMIT_CPU, seconds)
    _limit(resource.RLIMIT_NPROC, 0)
    _limit(resource.RLIMIT_NOFILE, 3)


def sample(count: int) -> list[int]:
    """The ordinals, from 0, of the pages that are looked at."""
    if count <= _SAMPLED:
        return list(range(count))
    return [number * (count - 1) // (_SAMPLED - 1) for number in range(_SAMPLED)]


def _limit(what: int, most: int) -> None:
    resource.setrlimit(what, (most, most))
