"""Who a run waits for, as text: once main is done, or over, and when a signal has come."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from swarm_host.entries import one_line, titled
from swarm_host.view.cells import duration

_MOST_LINES = 10
"""Workers that are told of with what they do; the rest is counted."""

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
    who = ", ".join(f"{name_of(one)} at {one['where']}" for one in lingering["workers"])
    rest = lingering["many"] - len(lingering["workers"])
    return f"{_WHY[lingering['why']]} {who}{f', and {rest} more' if rest else ''}"


def cancelling(rows: Sequence[dict[str, Any]], live: int, word: str) -> list[str]:
    """What a first signal does: whom it cancels, the oldest first, and what they said last.

    :param rows: of the run, as :func:`swarm_host.view.fronts.shown.rows_of` gives them.
    :param live: how many workers there are.
    :param word: what a second signal is called.
    """
    then = f"{word} again ends at once, without clean-up"
    at_work = [
        row for row in rows if "name" in row and not (row.get("running") or row.get("pending"))
    ]
    if live < 2 or not at_work:
        who = name_of(at_work[0]) if at_work and live else "the run"
        return [f"cancelling {who}; {then}"]
    return [f"cancelling {live} workers; {then}", *still_running(rows, live)]


def still_running(rows: Sequence[dict[str, Any]], live: int) -> list[str]:
    """Who is at work, such as ``  worker "slow" [a.md] (T-2), 12 s: reading part 3``, the oldest
    first; whoever waits for those that he has spawned is not named."""
    from swarm_host.view.fronts.tree import said_of

    listed = [row for row in rows if row.get("status") == "running" and "seconds" in row]
    at_work = [row for row in listed if not _waits_for_others(row)]
    at_work.sort(key=lambda row: -row["seconds"])
    lines = []
    for row in at_work[:_MOST_LINES]:
        said = said_of(row)
        waits = f"waits for {one_line(str(row['waits_for']))}" if row.get("waits_for") else ""
        doing = said or waits
        time = duration(row["seconds"])
        lines.append(f"  {name_of(row)}, {time}{f': {doing}' if doing else ''}")
    parents = len(listed) - len(at_work)
    rest = live - len(lines) - parents
    return [*lines, f"  and {rest} more"] if lines and rest > 0 else lines


def _waits_for_others(row: dict[str, Any]) -> bool:
    return bool(row.get("running") or row.get("pending"))


def name_of(worker: dict[str, Any]) -> str:
    """A worker as messages name it."""
    return f"worker {titled(worker)} ({worker['task_id']})"
