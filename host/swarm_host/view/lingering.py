"""Who a run waits for, as text: once main is done, or over, and when a signal has come."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from swarm_host.entries import titled

_MOST = 5
"""Workers named in a line; the rest is counted."""

_WHY = {
    "done": "main is done; waiting for",
    "timeout": "--timeout is over; waiting for the clean-up of",
    "cancelled": "cancelled; waiting for the clean-up of",
    "failed": "main failed; waiting for the clean-up of",
}


def line_of(lingering: dict[str, Any]) -> str:
    """Such as ``main is done; waiting for worker "slow" (T-2) at x.lua:3``.

    :param lingering: as :meth:`swarm_host.host.Host.lingering` gives it.
    """
    who = _listed([f"{name_of(one)} at {one['where']}" for one in lingering["workers"]])
    rest = lingering["many"] - len(lingering["workers"])
    return f"{_WHY[lingering['why']]} {who}{f', and {rest} more' if rest else ''}"


def cancelling(workers: Sequence[dict[str, Any]], live: int, word: str) -> str:
    """What a first signal does, such as ``cancelling worker "slow" (T-2); Ctrl-C again ends …``.

    :param workers: the first live ones, as :meth:`swarm_host.host.Host.waiting` gives them.
    :param live: how many there are.
    :param word: what a second signal is called.
    """
    named = [name_of(one) for one in workers][: min(live, _MOST)]  # a script that loads is no work
    rest = live - len(named)
    who = f"{_listed(named)}{f', and {rest} more' if rest > 0 else ''}" if named else "the run"
    return f"cancelling {who}; {word} again ends at once, without clean-up"


def name_of(worker: dict[str, Any]) -> str:
    """A worker as messages name it."""
    return f"worker {titled(worker)} ({worker['task_id']})"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names)
