"""What the specs of this folder run as workers of kind ``python``."""

from __future__ import annotations

import asyncio

from swarm_host import Blocked, blocked, worker_context


def echo(text: str) -> str:
    return text


def block() -> Blocked:
    return blocked("half", "not enough")


def fail() -> None:
    raise ValueError("it broke")


async def wait() -> None:
    worker_context().progress("begun")
    await asyncio.sleep(1e6)


def third() -> str:
    worker = worker_context()
    worker.progress(f"try {worker.attempt}")
    if worker.attempt < 3:
        raise ValueError("not yet")
    return "done"


def two() -> str:
    worker_context().progress("one")
    worker_context().progress("two")
    return "done"
