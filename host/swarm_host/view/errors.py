"""Errors as text: a headline, the author's frames, and what lies behind, as a tree."""

from __future__ import annotations

from typing import Any

from swarm_host.errors import headline

_MOST = 10
"""Errors shown of a list; the rest is counted."""

_PLAIN_CODES = ("failed", "load_error", "timeout", "children_failed", "assertion_failed")
"""Codes that add nothing to their message."""


def render(error: dict[str, Any]) -> str:
    """The error that ended a run, with its traceback and what it came from.

    :param error: the error's fields as they came out of Lua.
    """
    return "\n".join([_headline(error), *_below(error)])


def _headline(error: dict[str, Any]) -> str:
    text, code = headline(error), str(error.get("code", "failed"))
    return text if code in _PLAIN_CODES or code in text else f"{text} ({code})"


def _with_worker(error: dict[str, Any]) -> str:
    """The headline after the worker's name, where the message does not name it already."""
    text, agent, task = _headline(error), error.get("agent"), error.get("task_id")
    if not agent or not task or error.get("code") in ("timeout", "cancelled"):
        return text
    name = agent if str(agent).startswith("function at ") else f'"{agent}"'
    return f"worker {name} ({task}) failed: {text}"


def _below(error: dict[str, Any]) -> list[str]:
    lines = str(error.get("traceback") or "").splitlines()
    if error.get("spawned_at"):
        lines.append(f"  spawned at {error['spawned_at']}")
    if error.get("cancel_reason"):
        lines.append(f"  raised while it was being cancelled: {error['cancel_reason']}")
    cause = error.get("cause")
    if cause:
        lines.append(f"because {_with_worker(cause)}")
        lines += _below(cause)
    for title, key in ((None, "errors"), ("other errors:", "others")):
        listed = error.get(key) or []
        if listed and title:
            lines.append(title)
        for one in listed[:_MOST]:
            lines.append(f"  {_with_worker(one)}")
            lines += [f"  {line}" for line in _below(one)]
        if len(listed) > _MOST:
            lines.append(f"  and {len(listed) - _MOST} more")
    return lines
