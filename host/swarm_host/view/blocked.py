"""Which tasks of a run ended blocked, and why, as text."""

from __future__ import annotations

from typing import Any

from swarm_host.entries import indented, titled


def listing_of(blocked: dict[str, Any]) -> str:
    """A line for each task, such as ``  worker "review" [a.md] (T-3): needs a person``.

    :param blocked: as :meth:`swarm_host.host.Host.blocked` gives it.
    """
    many, tasks = blocked["many"], blocked["tasks"]
    lines = [f"{many} task{'' if many == 1 else 's'} ended blocked:"]
    for task in tasks:
        reason = indented(str(task["reason"])).replace("\n", "\n  ")
        lines.append(f"  worker {titled(task)} ({task['task_id']}): {reason}")
    if many > len(tasks):
        lines.append(f"  and {many - len(tasks)} more")
    return "\n".join(lines)
