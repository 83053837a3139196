"""What there is to tell at the end of a run beside its result: what failed first, then what ended
blocked, was tried again, took longest, and what was used.
"""

from __future__ import annotations

from collections.abc import Set
from typing import Any

from swarm_host.entries import indented, one_line, reason_of, titled, words_before
from swarm_host.view.cells import amount, dollars, duration
from swarm_host.view.lingering import still_running
from swarm_host.view.progress import progress_line

LONG_SECONDS = 10.0
"""A run of so long is told what took longest, and how long it was."""

_MOST_FAILED, _MOST_RETRIED, _MOST_SLOW = 10, 5, 5
_MOST_WORDS = 5
"""Lines of what a program wrote to its standard error before it failed."""
_COLOURS = {
    " failed:": "red",
    " at work were:": "yellow",
    " ended blocked:": "yellow",
    " tried again:": "yellow",
}
_NONE = "0 running · "
_TOLD = ("failed", "timeout", "blocked")
_SAID = {"pass": "passed", "cancelled": "cancelled"}


def summary_of(
    summary: dict[str, Any],
    counts: dict[str, int],
    seconds: float,
    *,
    told: Set[str] = frozenset(),
    total: bool = False,
) -> list[str]:
    """The lines of the summary; none where there is nothing to tell.

    :param summary: as :meth:`swarm_host.host.Host.summary` gives it.
    :param counts: as :meth:`swarm_host.host.Host.counts` gives them.
    :param seconds: how long the run took.
    :param told: the ids of tasks whose failure is told elsewhere.
    :param total: how many there were is told in any case.
    """
    lines = [
        *_late(summary.get("late")),
        *_failed(summary["failed"], told),
        *blocked(summary["blocked"]),
        *_retried(summary["retried"]),
        *_worktrees(summary["worktrees"]),
    ]
    if seconds >= LONG_SECONDS and summary["slowest"]:
        lines += ["took longest:", *_slowest(summary["slowest"])]
    if summary["used"]:
        lines.append(f"used: {_used(summary['used'])}")
    if total or (lines and seconds >= LONG_SECONDS):
        lines.append(
            progress_line({**counts, "live": 0, "running": 0}, seconds).removeprefix(_NONE)
        )
    return lines


def colour_of(line: str) -> str:
    """The colour of a line of the summary; none for most."""
    return next((colour for end, colour in _COLOURS.items() if line.endswith(end)), "")


def told_in(error: dict[str, Any] | None) -> set[str]:
    """The ids of the tasks that an error tells of."""
    return {str(one["task_id"]) for one in named_in(error)}


def named_in(error: dict[str, Any] | None) -> list[dict[str, Any]]:
    """The errors of tasks that an error tells of, itself and all that lies behind it."""
    found: list[dict[str, Any]] = []
    left = [error] if error else []
    while left:
        one = left.pop()
        if one.get("task_id"):
            found.append(one)
        for key in ("errors", "others"):
            left += one.get(key) or []
        if one.get("cause"):
            left.append(one["cause"])
    return found


def blocked(listed: dict[str, Any]) -> list[str]:
    """Those that ended blocked, such as ``  worker "review" [a.md] (T-3): needs a person``."""
    return _list(listed["many"], "ended blocked", [_reason(one) for one in listed["tasks"]])


def _late(late: dict[str, Any] | None) -> list[str]:
    """Who was at work as the run's time was over."""
    if late is None or late["live"] < 2:
        return []  # of main the error tells
    lines = still_running(late["rows"], late["live"])
    return [] if not lines else ["the run's time is over; at work were:", *lines]


def _failed(listed: dict[str, Any], told: Set[str]) -> list[str]:
    tasks = [one for one in listed["tasks"] if one["task_id"] not in told]
    many = listed["many"] - (len(listed["tasks"]) - len(tasks))
    first = {(one.get("parent"), one["reason"]) for one in tasks}
    told_below = [one for one in tasks if (one["task_id"], one["reason"]) in first]
    said = [_reason(one) for one in tasks if one not in told_below]
    lines = _list(many - len(told_below), "failed", said[:_MOST_FAILED])
    if lines and told_below:
        lines.append(f"  and {len(told_below)} above them")
    return lines


def _retried(listed: dict[str, Any]) -> list[str]:
    """Those that were tried again, but for those that are told of already."""
    tasks = [one for one in listed["tasks"] if one.get("status") not in _TOLD]
    many = listed["many"] - (len(listed["tasks"]) - len(tasks))
    said = []
    for one in tasks[:_MOST_RETRIED]:
        how = f"{_SAID.get(one.get('status', ''), 'ended')} at attempt {one['attempts']}"
        after = reason_of(one)
        said.append(f"{_name(one)}: {how}{f', after: {one_line(after)}' if after else ''}")
    return _list(many, "was tried again" if many == 1 else "were tried again", said)


def _worktrees(listed: dict[str, Any]) -> list[str]:
    """The worktrees that stay, such as ``  worker "fix" (T-3): /path (branch fix/3): changes``."""
    many, lines = listed["many"], []
    for one in listed["trees"]:
        branch = f" (branch {one['branch']})" if one.get("branch") else ""
        lines.append(f"  {_name(one)}: {one['path']}{branch}: {one['holds']}")
    if many > len(lines):
        lines.append(f"  and {many - len(lines)} more: swarm-host prune lists them")
    return [f"{many} worktree{' stays' if many == 1 else 's stay'}:", *lines] if many else []


def _list(many: int, what: str, said: list[str]) -> list[str]:
    if many <= 0:
        return []
    lines = [f"{many} task{'' if many == 1 else 's'} {what}:", *(f"  {line}" for line in said)]
    return [*lines, f"  and {many - len(said)} more"] if many > len(said) else lines


def _slowest(tasks: list[dict[str, Any]]) -> list[str]:
    times = [(duration(one["seconds"]), _name(one)) for one in tasks[:_MOST_SLOW]]
    widest = max(len(time) for time, _ in times)
    return [f"  {time:>{widest}}  {name}" for time, name in times]


def _used(used: dict[str, float]) -> str:
    parts = []
    kinds = [name for name in ("input", "output", "cached") if used.get(name)]
    apart = ", ".join(f"{amount(used[name])} {name}" for name in kinds)
    if used.get("tokens"):
        parts.append(f"{amount(used['tokens'])} tokens{f' ({apart})' if apart else ''}")
    if used.get("cost"):
        parts.append(dollars(used["cost"]))
    return ", ".join(parts)


def _name(task: dict[str, Any]) -> str:
    return f"worker {titled(task)} ({task['task_id']})"


def _reason(task: dict[str, Any]) -> str:
    attempts = f" (after {task['attempts']} attempts)" if task.get("attempts") else ""
    reason = indented(reason_of(task)).replace("\n", "\n  ")
    before = [f"    {line}" for line in words_before(task, _MOST_WORDS)]
    return "\n".join([f"{_name(task)}: {reason}{attempts}", *before])
