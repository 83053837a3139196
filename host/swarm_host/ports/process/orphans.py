"""Orphans of the host's: who has lost its parent below it, and has no guardian to take it in. The
guardian was killed, or the parent came of a git that the host runs itself. They become children of
the host: so it is seen whose they are. Their ends are taken, as nobody else would.
"""

from __future__ import annotations

import os
from contextlib import suppress

import anyio

from swarm_host.ports.process import guarding
from swarm_host.ports.process.guardian import family

SECONDS = 20.0
"""Between two looks. Who has started a child itself takes its end sooner."""


def adopt() -> bool:
    """Has them become children of this process. False: the system knows no such thing."""
    return family.become_subreaper()


async def take_all() -> None:
    """Takes their ends, until it is cancelled."""
    before: set[tuple[int, bytes]] = set()
    while True:
        await anyio.sleep(SECONDS)
        before = take_ended(before)


def take_ended(before: set[tuple[int, bytes]]) -> set[tuple[int, bytes]]:
    """Takes the ends of children that nobody has taken since the last look.

    :param before: what the last look returned.
    :return: those that have ended by now, and may be somebody's who is about to take its end.
    """
    found, guardians = set(), guarding.pids()
    for pid in family.children_of(os.getpid()):
        with suppress(OSError):
            one = family.Stat(pid)
            if not one.is_zombie or pid in guardians:
                continue
            if (pid, one.begun) in before:
                os.waitpid(pid, os.WNOHANG)
            else:
                found.add((pid, one.begun))
    return found
