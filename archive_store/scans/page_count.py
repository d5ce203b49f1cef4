"""Counting pages in a process of its own: a hostile file may crash it, and only it.

The file comes on standard input, its media type as the argument.
"""

from __future__ import annotations

import asyncio
import io
import os
import resource
import sys

SIZE_LIMIT = 16 * 1024 * 1024
_SECONDS = 10
_MEMORY = 1024 * 1024 * 1024
_PAGES_LIMIT = 10_000
# Processes at once, each with up to its memory; who finds none free within the seconds goes without a count.
_WAIT_SECONDS = 3
_processes = asyncio.Semaphore(2)


async def count_pages(content: bytes | bytearray, media_type: str) -> int | None:
    """Pages of a PDF or TIFF, 1 for a photograph; None where they cannot be counted."""
    if media_type in ("image/jpeg", "image/png"):
        return 1
    try:
        async with asyncio.timeout(_WAIT_SECONDS):
            await _processes.acquire()
    except TimeoutError:
        return None
    try:
        return await _counted(content, media_type)
    finally:
        _processes.release()


async def _counted(content: bytes | bytearray, media_type: str) -> int | None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-I",
        os.path.realpath(__file__),  # noqa: ASYNC240
        media_type,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={},  # ours has the passwords of the stores
    )
    try:
        answer, _ = await asyncio.wait_for(process.communicate(content), _SECONDS)
    except (TimeoutError, OSError):
        return None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return int(answer) if process.returncode == 0 and answer.strip().isdigit() else None


def _pages(content: bytes, media_type: str) -> int:
    if media_type == "application/pdf":
        import pypdfium2

        return len(pypdfium2.PdfDocument(content))
    from PIL import Image

    with Image.open(io.BytesIO(content), formats=["TIFF"]) as image:
        return int(getattr(image, "n_frames", 1))


def _main() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (_SECONDS, _SECONDS))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    pages = _pages(sys.stdin.buffer.read(SIZE_LIMIT + 1), sys.argv[1])
    if 0 < pages <= _PAGES_LIMIT:
        sys.stdout.write(str(pages))


if __name__ == "__main__":
    _main()
