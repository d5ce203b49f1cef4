"""Asking clamd about a file: a double of its protocol always, and the real one where it is installed."""

from __future__ import annotations

import asyncio
import os
import shutil
import struct
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

import archive_store.inspection.viruses as viruses
from archive_store.foundation.settings import Settings
from archive_store.inspection.viruses import StreamTooLongError, VirusScannerError, find_virus

MIB = 1024 * 1024
# Ours alone, for no scanner but the one of these tests.
TEST_VIRUS = b"REGISTRAR-TEST-STRING-THAT-STANDS-FOR-A-VIRUS"
Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def told(address: str | None) -> Settings:
    required = dict.fromkeys(
        ("mongodb_url", "s3_endpoint", "s3_access_key", "s3_secret_key", "keyring_file"), "x"
    )
    return Settings(oidc_issuer="https://issuer.example", clamd=address, **required)  # type: ignore[arg-type]


async def pieces(*content: bytes) -> AsyncGenerator[bytes, None]:
    for piece in content:
        yield piece


@asynccontextmanager
async def double(handler: Handler, folder: Path | None = None) -> AsyncIterator[str]:
    """A double of clamd, on TCP or, with a folder, on a socket there."""
    if folder is None:
        server = await asyncio.start_server(handler, "127.0.0.1", 0)
        address = "127.0.0.1:{1}".format(*server.sockets[0].getsockname())
    else:
        address = str(folder / "clamd.sock")
        server = await asyncio.start_unix_server(handler, address)
    async with server:
        yield address


class Clamd:
    """INSTREAM as clamd(8) has it: finds the test string, takes `limit` bytes at most."""

    def __init__(self, answer: bytes | None = None, limit: int = 8 * MIB) -> None:
        self.answer = answer
        self.limit = limit
        self.content = b""

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError):
            await self.serve(reader, writer)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert await reader.readuntil(b"\0") == b"zINSTREAM\0"
        while size := struct.unpack("!I", await reader.readexactly(4))[0]:
            self.content += await reader.readexactly(size)
            if len(self.content) > self.limit:
                writer.write(b"INSTREAM size limit exceeded. ERROR\0")
                writer.close()
                return
        found = b"Test.Virus FOUND" if TEST_VIRUS in self.content else b"OK"
        writer.write(b"stream: " + found + b"\0" if self.answer is None else self.answer)
        writer.close()


@pytest.mark.parametrize("by_socket", [False, True])
async def test_the_file_goes_over_whole_and_the_name_comes_back(tmp_path: Path, by_socket: bool) -> None:
    clamd = Clamd()
    async with double(clamd, tmp_path if by_socket else None) as address:
        assert await find_virus(told(address), pieces(b"a" * 100, b"", b"b" * 3 * MIB)) is None
        assert clamd.content == b"a" * 100 + b"b" * 3 * MIB
        clamd.content = b""
        assert await find_virus(told(address), pieces(b"a", TEST_VIRUS[:9], TEST_VIRUS[9:])) == "Test.Virus"
        assert await find_virus(told(address), pieces()) == "Test.Virus"


async def test_a_stream_over_the_limit_is_told_apart() -> None:
    async with double(Clamd(limit=MIB)) as address:
        with pytest.raises(StreamTooLongError):
            await find_virus(told(address), pieces(*[bytes(MIB)] * 20))


@pytest.mark.parametrize(
    "answer",
    [
        b"\0",
        b"",
        b"OK\0",
        b"stream: OK",
        b"stream: \0",
        b"stream: FOUND\0",
        b"stream: a b FOUND\0",
        b"stream: \x1b[31m FOUND\0",
        b"stream: Can't allocate memory ERROR\0",
        b"UNKNOWN COMMAND\0",
        b"\xff\xfe\0",
        b"stream: " + b"x" * 100_000 + b" FOUND\0",
        b"x" * 100_000,
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
    ],
)
async def test_nonsense_is_no_verdict(answer: bytes) -> None:
    async with double(Clamd(answer)) as address:
        with pytest.raises(VirusScannerError) as caught:
            await find_virus(told(address), pieces(b"paper"))
        assert type(caught.value) is VirusScannerError


async def test_a_verdict_on_half_the_file_is_none() -> None:
    async def hasty(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"stream: OK\0")
        await writer.drain()
        writer.close()

    async def slowly() -> AsyncGenerator[bytes, None]:
        for _ in range(20):
            await asyncio.sleep(0.02)
            yield bytes(1000)

    async with double(hasty) as address:
        with pytest.raises(VirusScannerError, match="OK"):
            await find_virus(told(address), slowly())


@pytest.mark.parametrize(
    "address", ["127.0.0.1:1", "/nowhere/clamd.sock", "[::1]:1", "127.0.0.1:99999", "nobody.invalid:1"]
)
async def test_nobody_there(address: str) -> None:
    with pytest.raises(VirusScannerError):
        await find_virus(told(address), pieces(b"paper"))


@pytest.mark.parametrize("takes", [True, False])
async def test_a_scanner_that_hangs(monkeypatch: pytest.MonkeyPatch, takes: bool) -> None:
    monkeypatch.setattr(viruses, "_STEP_SECONDS", 0.3)
    monkeypatch.setattr(viruses, "_VERDICT_SECONDS", 0.3)
    leave = asyncio.Event()

    async def hangs(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while takes and await reader.read(MIB):
            pass
        await leave.wait()
        writer.close()

    async with double(hangs) as address:
        with pytest.raises(VirusScannerError):
            await find_virus(told(address), pieces(*[bytes(MIB)] * 30))
        leave.set()


async def test_what_the_pieces_raise_is_raised() -> None:
    async def torn(error: type[Exception]) -> AsyncGenerator[bytes, None]:
        yield b"paper"
        raise error

    for error in (ConnectionResetError, TimeoutError, LookupError):
        async with double(Clamd()) as address:
            with pytest.raises(error):
                await find_virus(told(address), torn(error))


async def test_the_pieces_are_closed_whoever_ends_first() -> None:
    closed = []

    async def endless() -> AsyncGenerator[bytes, None]:
        try:
            while True:
                yield bytes(MIB)
        finally:
            closed.append(True)

    async with double(Clamd(limit=MIB)) as address:
        with pytest.raises(StreamTooLongError):
            await find_virus(told(address), endless())
    assert closed == [True]


async def test_without_the_setting_there_is_no_scanner() -> None:
    with pytest.raises(ValueError, match="clamd"):
        await find_virus(told(None), pieces())


@pytest.mark.parametrize("address", ["", "clamd", "host:", "a b:1", "host:port", "relative/clamd.sock"])
def test_addresses_that_are_none(address: str) -> None:
    with pytest.raises(ValueError, match="clamd"):
        told(address)


# The real one. `scripts/setup` unpacks it; a package that is installed serves as well.
UNPACKED = Path(sys.prefix) / "clamav"


@pytest.fixture(scope="module")
def clamd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    program = shutil.which("clamd", path=f"{UNPACKED}/usr/sbin:{os.environ['PATH']}:/usr/sbin")
    if program is None:
        pytest.skip("no clamd: scripts/setup unpacks it on Debian, or apt-get install clamav-daemon")
    folder = tmp_path_factory.mktemp("clamd")
    (folder / "database").mkdir()
    # Name, any kind of file, any place, the bytes in hex.
    (folder / "database" / "test.ndb").write_text(f"Registrar.Test:0:*:{TEST_VIRUS.hex()}\n")
    address = str(folder / "clamd.sock")
    (folder / "clamd.conf").write_text(
        f"LocalSocket {address}\nDatabaseDirectory {folder}/database\nForeground yes\nStreamMaxLength 4M\n"
        f"TemporaryDirectory {folder}\nLogFile {folder}/clamd.log\n"
    )
    libraries = {"LD_LIBRARY_PATH": str(UNPACKED / "usr/lib/x86_64-linux-gnu")}
    process = subprocess.Popen(
        [program, "--config-file", str(folder / "clamd.conf")],
        env=os.environ | libraries,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        for _ in range(300):
            if Path(address).exists():
                break
            assert process.poll() is None, (folder / "clamd.log").read_text()
            time.sleep(0.1)
        yield address
    finally:
        process.kill()
        process.wait()


async def test_the_real_clamd(clamd: str) -> None:
    assert await find_virus(told(clamd), pieces(b"a harmless paper", bytes(3 * MIB))) is None
    found = await find_virus(
        told(clamd), pieces(bytes(2 * MIB), TEST_VIRUS[:20], TEST_VIRUS[20:], bytes(100))
    )
    assert found is not None and found.startswith("Registrar.Test")
    with pytest.raises(StreamTooLongError):
        await find_virus(told(clamd), pieces(*[bytes(MIB)] * 12))
    assert await find_virus(told(clamd), pieces(b"another")) is None


async def test_the_real_clamd_serves_several_at_once(clamd: str) -> None:
    contents: list[Any] = [(b"paper",), (TEST_VIRUS,), (bytes(MIB), TEST_VIRUS), (bytes(MIB),)]
    found = await asyncio.gather(*(find_virus(told(clamd), pieces(*content)) for content in contents))
    assert [name is not None for name in found] == [False, True, True, False]
