"""Running a client from npm, and reading what it prints."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from api.dev.programs import node_program

FOLDER = Path(__file__).parent
PATIENCE_SECONDS = 30.0


class Client:
    """A running client. `lines` are all that it has printed so far."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._more = asyncio.Condition()
        self.lines: list[dict[str, Any]] = []
        self.reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            async with self._more:
                self.lines.append(json.loads(line))
                self._more.notify_all()

    async def until(self, is_enough: Callable[[list[dict[str, Any]]], bool]) -> list[dict[str, Any]]:
        async with asyncio.timeout(PATIENCE_SECONDS), self._more:
            await self._more.wait_for(lambda: is_enough(self.lines))
        return self.lines

    async def event(self, name: str, count: int = 1) -> list[dict[str, Any]]:
        """The lines of an event, once there are so many."""
        lines = await self.until(lambda all_: sum(line["event"] == name for line in all_) >= count)
        return [line for line in lines if line["event"] == name]

    async def nodes(self, field: str, count: int) -> list[Any]:
        """What a field of the subscription has told, once it has told so much."""
        return [line["result"]["data"][field] for line in await self.event("next", count)]

    async def code(self) -> str:
        """The code of the error that ended the subscription, which is complete after it."""
        await self.event("complete")
        [error] = (await self.event("next"))[-1]["result"]["errors"]
        return str(error["extensions"]["code"])

    def tell(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n".encode())


@asynccontextmanager
async def running_client(kind: str, **told: Any) -> AsyncIterator[Client]:
    process = await asyncio.create_subprocess_exec(
        str(node_program()),
        str(FOLDER / f"{kind}.mjs"),
        json.dumps(told),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=2**22,
    )
    client = Client(process)
    try:
        yield client
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        await client.reading
