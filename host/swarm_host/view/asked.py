"""Questions that wait for an answer, as text."""

from __future__ import annotations

from typing import Any

from swarm_host.entries import one_line, titled

_MOST = 10
"""Questions shown of a list; the rest is counted."""


def asked(question: dict[str, Any]) -> str:
    """A question on one line: its key, who asks, what, and what can be said.

    :param question: as Lua tells of it: ``key``, ``name``, ``label``, ``question``, ``choices``,
        ``schema``, ``default``, ``to``.
    """
    text = f"{question['key']} {titled(question)}: {one_line(str(question['question']))}"
    choices, default = question.get("choices"), question.get("default")
    if choices:
        text += f" ({', '.join(map(one_line, map(str, choices)))})"
    if question.get("schema") is not None:
        text += " (JSON)"
    if default is not None:
        text += f" [default: {one_line(str(default))}]"
    to = question.get("to", "main")
    return text if to == "main" else f"{text} (to {one_line(str(to))})"


def waiting(error: dict[str, Any], questions: list[dict[str, Any]]) -> str:
    """What a run says that has ended because only answers can move it.

    :param error: the run's, with ``message`` and how ``many`` there are.
    :param questions: the first of them.
    """
    lines = [f"{error['message']}:", *(f"  {asked(one)}" for one in questions[:_MOST])]
    more = int(error.get("many", 0)) - len(questions[:_MOST])
    return "\n".join([*lines, f"  and {more} more"] if more > 0 else lines)
