"""Says who a run waits for once main is done, or over, and somebody goes on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import anyio

from swarm_host.host import Host
from swarm_host.view.lingering import line_of
from swarm_host.view.screen import Screen

LOOK_SECONDS = 0.5
LOOKS_BEFORE = 2
"""Looks in a row that find somebody lingering before it is said."""


@asynccontextmanager
async def lingering_told(
    host: Host, screen: Screen, is_over: Callable[[], bool]
) -> AsyncIterator[None]:
    """Says it for the time of the block, once for each reason.

    :param is_over: whether others who go on are of any matter: where a run serves, only once it is
        to end.
    """
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_look, host, screen, is_over)
        yield
        tasks.cancel_scope.cancel()


async def _look(host: Host, screen: Screen, is_over: Callable[[], bool]) -> None:
    why, looks = None, 0
    while True:
        await anyio.sleep(LOOK_SECONDS)
        lingering = host.lingering() if is_over() else None
        now = lingering["why"] if lingering else None
        looks = looks + 1 if now == why else 1
        why = now
        if lingering and looks == LOOKS_BEFORE:
            screen.progress_note(line_of(lingering))
