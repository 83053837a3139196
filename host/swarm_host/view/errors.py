"""Errors as text: a headline, the author's frames, and what lies behind, as a tree."""

from __future__ import annotations

from typing import Any

from swarm_host.entries import indented, titled, words_before
from swarm_host.errors import headline
from swarm_host.view.source import excerpt

_MOST = 10
"""Errors shown of a list; the rest is counted."""

_MOST_WORDS = 8
"""Lines shown of what a program wrote to its standard error before it failed."""

_MOST_IN_ALL = 100
"""Errors shown in lists, and in the lists of those, all together."""

_PLAIN_CODES = (
    "failed",
    "load_error",
    "timeout",
    "children_failed",
    "assertion_failed",
    "exploration_failed",
)
"""Codes that add nothing to their message."""

_LAID_OUT = ("assertion_failed", "exploration_failed")
"""Codes whose message has lines of the host's making."""


def render(error: dict[str, Any], *, with_source: bool = False) -> str:
    """The error that ended a run, with its traceback and what it came from.

    :param error: the error's fields as they came out of Lua.
    :param with_source: with the line that it speaks of, and a caret under the place.
    """
    lines = [_set_apart(_headline(error), error)]
    if with_source:
        lines += excerpt(str(error.get("where", "")), str(error.get("message", "")))
    return "\n".join([*lines, *_Tree().below(error, "")])


def _headline(error: dict[str, Any]) -> str:
    text, code = headline(error), str(error.get("code", "failed"))
    text = text if code in _PLAIN_CODES or code in text else f"{text} ({code})"
    attempts = error.get("attempts")
    return f"{text} (after {attempts:g} attempts)" if isinstance(attempts, int | float) else text


def _set_apart(text: str, error: dict[str, Any]) -> str:
    """What stands at the left edge: no line of a script's message looks like one of ours there."""
    return text if error.get("code") in _LAID_OUT else indented(text)


def _with_worker(error: dict[str, Any]) -> str:
    """The headline after the worker's name, where the message does not name it already."""
    text, name, task = _headline(error), error.get("name"), error.get("task_id")
    if not name or not task or error.get("code") in ("timeout", "cancelled"):
        return text
    if error.get("code") == "blocked":
        return f"{_name(error)} ({task}) {text}"
    return f"{_name(error)} ({task}) failed: {text}"


def _name(error: dict[str, Any]) -> str:
    return f"worker {titled(error)}"


class _Tree:
    """The lines below a headline. What an error came from stands below it, in the same column;
    lists of errors branch off."""

    def __init__(self) -> None:
        self._left = _MOST_IN_ALL

    def below(self, error: dict[str, Any], beside: str) -> list[str]:
        """Frames, causes, and the errors that it holds.

        :param beside: whose errors the others are, for a reader who has come to a cause.
        """
        lines = [f"  {line}" for line in words_before(error, _MOST_WORDS)]
        lines += str(error.get("traceback") or "").splitlines()
        if error.get("spawned_at"):
            lines.append(f"  spawned at {error['spawned_at']}")
        elif error.get("spawned_by"):
            lines.append(f"  spawned by {error['spawned_by']}")
        if error.get("cancel_reason"):
            lines.append(f"  raised while it was being cancelled: {error['cancel_reason']}")
        cause = error.get("cause")
        if cause:
            lines += _set_apart(f"because {_with_worker(cause)}", cause).splitlines()
            named = cause.get("name") and cause.get("task_id")
            lines += self.below(cause, f" beside that of {_name(cause)}" if named else "")
        lines += self._branches(error, "errors")
        others = error.get("others") or []
        if others:
            lines += [f"other errors{beside}:", *self._branches(error, "others")]
        return lines

    def _branches(self, of: dict[str, Any], key: str) -> list[str]:
        errors: list[dict[str, Any]] = of.get(key) or []
        left_out = int(of.get(f"{key}_left_out") or 0)  # the list came shortened
        lines: list[str] = []
        for place, error in enumerate(errors):
            rest = len(errors) - place + left_out
            if place == _MOST or self._left == 0:
                return [*lines, f"  └─ and {rest} more"]
            self._left -= 1
            first, further = ("  └─ ", "     ") if rest == 1 else ("  ├─ ", "  │  ")
            head, *continued = _with_worker(error).splitlines() or [""]
            lines.append(f"{first}{head}")
            lines += [f"{further}{line}" for line in (*continued, *self.below(error, ""))]
        return lines
