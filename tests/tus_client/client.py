"""Running tus-js-client, and reading what it prints."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from api.dev.programs import node_program

FOLDER = Path(__file__).parent
PATIENCE_SECONDS = 90.0

Line = dict[str, Any]


async def run_client(on_line: Callable[[Line], Awaitable[None]] | None = None, **told: Any) -> list[Line]:
    """All that the client prints until it ends; `on_line` is told each line as it comes."""
    process = await asyncio.create_subprocess_exec(
        str(node_program()), str(FOLDER / "upload.mjs"), json.dumps(told), stdout=asyncio.subprocess.PIPE
    )
    lines: list[Line] = []
    assert process.stdout is not None
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            async for text in process.stdout:
                lines.append(json.loads(text))
                if on_line is not None:
                    await on_line(lines[-1])
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
    return lines
