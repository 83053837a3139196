"""Which front shows a run, and for how long: one of :data:`VIEWS`."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, Literal

import anyio
from anyio.to_thread import run_sync

from swarm_host.host import Host
from swarm_host.view import cells
from swarm_host.view.progress import progress_line, size_of_terminal
from swarm_host.view.screen import Screen

View = Literal["tree", "lines", "plain", "off"]
VIEWS: tuple[View, ...] = ("tree", "lines", "plain", "off")

Front = Callable[[Screen, Host], Coroutine[Any, Any, None]]

SHOWN_SECONDS = 0.5
"""A run that is over before is shown by what it says alone."""

_REDRAW_SECONDS = 0.1
_SHARE = 0.02
"""The part of the time that drawing may take: where a frame takes long, the next one comes late."""
_PLAIN_EVERY_SECONDS = 30.0
_LEAST_ROWS = 1


def default_view() -> View:
    """What is shown by default: the tree at a terminal that can, else a line now and then."""
    able = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
    return "tree" if able and not os.environ.get("CI") else "plain"


@asynccontextmanager
async def shown(view: View, screen: Screen, host: Host) -> AsyncIterator[None]:
    """Shows a run for the time of the block."""
    front = _FRONTS.get(view)
    if front is None:
        yield
        return
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_guarded, front, screen, host)
        try:
            yield
        finally:
            tasks.cancel_scope.cancel()
            screen.clear()


async def _guarded(front: Front, screen: Screen, host: Host) -> None:
    """A front that fails is told of once; the run goes on."""
    try:
        await front(screen, host)
    except Exception as problem:
        screen.clear()
        screen.error(f"the view cannot go on: {type(problem).__name__}: {problem}")


def rows_of(host: Host, most: int) -> list[dict[str, Any]]:
    """So many rows of a run as it is now (:meth:`swarm_host.host.Host.picture`), each with what its
    program ``said`` last."""
    rows = host.picture(most)
    for row in rows:
        row["said"] = cells.last_line(host.last_said(row.get("request")))
    return rows


async def _tree(screen: Screen, host: Host) -> None:
    if not screen.terminal:
        return await _plain(screen, host)
    await anyio.sleep(SHOWN_SECONDS)
    await run_sync(cells.load)
    from swarm_host.view.fronts.tree import Look, frame

    look = Look(colours=screen.colours, unicode=screen.unicode)
    due, size = 0.0, (0, 0)
    while True:
        now, was = time.monotonic(), size
        size = size_of_terminal(2)
        if now >= due or size != was:
            columns, lines = size
            counts = host.counts()
            rows = rows_of(host, max(lines - 2, _LEAST_ROWS)) if counts["live"] else []
            drawn = frame(rows, counts, host.seconds(), columns, look) if rows else []
            screen.draw(drawn[-max(lines - 1, 1) :], columns)
            due = now + max(_REDRAW_SECONDS, (time.monotonic() - now) / _SHARE)
        await anyio.sleep(_REDRAW_SECONDS)


async def _plain(screen: Screen, host: Host) -> None:
    every = _REDRAW_SECONDS if screen.terminal else _PLAIN_EVERY_SECONDS
    await anyio.sleep(SHOWN_SECONDS if screen.terminal else every)
    while True:
        columns = size_of_terminal(2)[0] if screen.terminal else None
        line = progress_line(host.counts(), host.seconds(), columns)
        if columns is None:
            screen.note(line)
        else:
            screen.draw([line], columns)
        await anyio.sleep(every)


_FRONTS: dict[View, Front] = {
    "tree": _tree,
    "plain": _plain,
}
