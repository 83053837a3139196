"""Waiting for what another process or the loop does, with a deadline."""

from __future__ import annotations

import os
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
    """Whether a process is there and no zombie. Where no /proc tells zombies apart, they are alive:
    a test may fail there, and none passes because nobody could look."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # it is somebody else's, and there
        pass
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return not Path("/proc/self").exists()
    except ProcessLookupError:  # it was reaped while we read
        return False
    return state not in "ZX"


def wait_for(file: Path, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not file.exists():
        assert time.monotonic() < deadline, f"{file} did not come"
        time.sleep(0.01)


def hold(condition: Callable[[], bool], seconds: float = 60) -> None:
    """Waits until something is so, asking now and then."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not so within {seconds} s"
        time.sleep(0.02)


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
