"""What a computing worker does to the application around it (spec/host/host.md, "In Python")."""

from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path

import pytest

from swarm_host import Host

COMPUTES = """
swarm.worker "computes" { run = function()
  local stop = swarm.monotonic() + 3
  while swarm.monotonic() < stop do end
end }
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "computes.lua"
    path.write_text(COMPUTES)
    return path


async def computed(path: Path) -> None:
    async with Host.load(path) as host:
        await host.call("computes")


async def longest_pause(until: asyncio.Event | threading.Event) -> float:
    """For how long the loop did not come round, at the most."""
    longest, before = 0.0, time.monotonic()
    while not until.is_set():
        await asyncio.sleep(0.005)
        now = time.monotonic()
        longest, before = max(longest, now - before), now
    return longest


def test_it_holds_the_loop_that_the_host_runs_in(path: Path) -> None:
    async def main() -> float:
        done = asyncio.Event()
        pause = asyncio.create_task(longest_pause(done))
        await asyncio.sleep(0)
        await computed(path)
        done.set()
        return await pause

    assert asyncio.run(main()) >= 3


def test_it_does_not_hold_the_application_from_a_thread_of_its_own(path: Path) -> None:
    done = threading.Event()

    def host() -> None:
        asyncio.run(computed(path))
        done.set()

    thread = threading.Thread(target=host)
    thread.start()
    pause = asyncio.run(longest_pause(done))
    thread.join()
    assert pause < 2
