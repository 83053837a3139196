"""What tests of processes share: a host, and what the system says of processes."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import anyio

from swarm_host import Host, Options
from tests.support.waiting import is_alive


@asynccontextmanager
async def loaded(folder: Path, text: str, **options: Any) -> AsyncIterator[Host]:
    """A host with a script."""
    script = folder / "script.lua"
    script.write_text(text)
    async with Host.load(script, Options(**options)) as host:
        yield host


def lua(value: str | Path) -> str:
    """A Lua string literal."""
    return json.dumps(str(value))


def offspring() -> list[int]:
    """The processes whose parent we are, zombies included."""
    found = []
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            try:
                fields = Path(entry.path, "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[1]) == os.getpid():
                found.append(int(entry.name))
    return found


def descriptors() -> int:
    """How many descriptors are open."""
    return len(list(Path("/proc/self/fd").iterdir()))


async def written(path: Path) -> str:
    """What is written to a file, once it is there whole."""
    text = ""
    while not text.endswith("\n"):
        await anyio.sleep(0.005)
        with suppress(FileNotFoundError):
            text = await anyio.Path(path).read_text()
    return text


async def gone(*pids: int) -> None:
    """Waits until processes have ended."""
    while any(is_alive(pid) for pid in pids):  # noqa: ASYNC110
        await anyio.sleep(0.005)
