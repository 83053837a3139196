"""Waiting for what another process or the loop does, with a deadline."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio


def wait_for_end(pid: int, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while is_alive(pid):
        assert time.monotonic() < deadline, f"process {pid} goes on"
        time.sleep(0.01)


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_for(file: Path, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not file.exists():
        assert time.monotonic() < deadline, f"{file} did not come"
        time.sleep(0.01)


def within(seconds: float, main: Callable[[], Any]) -> Any:
    """Runs an async function with a bound: a hang is a failure."""

    async def bounded() -> Any:
        with anyio.fail_after(seconds):
            return await main()

    return anyio.run(bounded)


async def until(condition: Callable[[], bool]) -> None:
    """Waits for a condition, within the bound of the test."""
    while not condition():  # noqa: ASYNC110 - nothing in the host tells of it
        await anyio.sleep(0.001)
