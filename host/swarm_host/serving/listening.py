"""Listening for the time of a run."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import anyio

from swarm_host.errors import words_of
from swarm_host.host import Host
from swarm_host.ports.process import orphans
from swarm_host.serving.server import Server


class CannotListen(Exception):
    """Nobody can speak to the run; the text says why."""


@asynccontextmanager
async def listening(host: Host, how: Callable[[], str]) -> AsyncIterator[None]:
    """Serves a run's socket for the time of the block.

    :param how: says at the end how the run ended.
    :raises CannotListen: there is none.
    """
    try:
        server = Server(host)
    except OSError as problem:
        why = f"nobody can speak to this run from outside: {words_of(problem)}"
        raise CannotListen(why) from None
    try:
        async with anyio.create_task_group() as tasks:
            if orphans.adopt():
                tasks.start_soon(orphans.take_all)
            tasks.start_soon(server.serve)
            try:
                yield
            finally:
                tasks.cancel_scope.cancel()
    finally:
        server.close(how())
