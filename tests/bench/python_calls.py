"""Calls of functions of Python's through a host, and bare: the seconds they took, as JSON.

python -m tests.bench.python_calls sync|async COUNT AT_ONCE
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import anyio
from anyio import CapacityLimiter, to_thread

from swarm_host import Host

SCRIPT = Path(__file__).with_name("python.lua")


def nothing(n: int) -> int:
    return n


async def nothing_later(n: int) -> int:
    return n


async def bare(kind: str, count: int, at_once: int) -> float:
    """The same calls by anyio alone: a task for each call, as each of ours is a worker."""
    limiter = CapacityLimiter(64)

    async def in_thread() -> None:
        await to_thread.run_sync(nothing, 1, limiter=limiter)

    async def in_loop() -> None:
        await nothing_later(1)

    call = in_thread if kind == "sync" else in_loop

    async def caller() -> None:
        for _ in range(count // at_once):
            async with anyio.create_task_group() as one:
                one.start_soon(call)

    started = time.perf_counter()
    async with anyio.create_task_group() as tasks:
        for _ in range(at_once):
            tasks.start_soon(caller)
    return time.perf_counter() - started


async def main(kind: str, count: int, at_once: int) -> dict[str, float]:
    """Both, in turn: the best of each, by the clock and by what the processors did."""
    mine, theirs = [], []
    async with Host.load(SCRIPT) as host:
        given = {"name": kind, "count": count, "at_once": at_once}
        for _ in range(8):
            worked = time.process_time()
            seconds = await host.call("calls", given)
            mine.append((seconds, time.process_time() - worked))
            worked = time.process_time()
            seconds = await bare(kind, count, at_once)
            theirs.append((seconds, time.process_time() - worked))
    seconds, cpu = (min(one) for one in zip(*mine, strict=True))
    bare_seconds, bare_cpu = (min(one) for one in zip(*theirs, strict=True))
    return {"seconds": seconds, "cpu": cpu, "bare": bare_seconds, "bare_cpu": bare_cpu}


if __name__ == "__main__":
    kind, count, at_once = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    print(json.dumps(anyio.run(main, kind, count, at_once)))
