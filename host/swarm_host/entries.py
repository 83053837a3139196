"""Log entries as text: the time, the level, the worker that said it, the message, its fields.

A message may come from anywhere. So whatever is in it, each entry has one line that begins with a
time, and nothing in it moves a terminal's cursor.
"""

from __future__ import annotations

import json
import time
from typing import Any

_CONTROL = {
    code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0)) if code not in b"\t\n"
}
_CONTROL |= {code: f"\\u{code:04x}" for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))}
"""Signs that turn round the order in which what follows is shown are among them."""
_QUOTED = frozenset(' \t\n"=')


def harmless(text: str) -> str:
    """Text without what moves a terminal's cursor or changes its state: it came from elsewhere."""
    return text.translate(_CONTROL)


def one_line(text: str) -> str:
    """A text that may come from anywhere, on one line, without what a terminal would obey."""
    return harmless(" ".join(text.split()))


def as_it_stands(line: str) -> str:
    """A line as a terminal shows it: without what was written over, as progress bars are."""
    return line.rstrip("\r").rpartition("\r")[2]


def printable(text: str) -> str:
    """Text on one line, with a mark for whatever cannot be seen."""
    return "".join(one if one.isprintable() else "?" for one in text)


def indented(text: str) -> str:
    """Text whose further lines are set in: none of them looks like a line of the host's own."""
    first, *further = text.split("\n")
    return "\n".join([first, *(line if line[:2] == "  " else f"  {line}" for line in further)])


def line_of(entry: dict[str, Any], level: str) -> str:
    """An entry as a line, such as ``15:04:05 info: [count T-3 a.md] read lines=7``.

    :param level: the level as it is shown, with its colour.
    """
    at = time.strftime("%H:%M:%S", time.localtime(entry["at"]))
    return f"{at} {level}: {indented(harmless(f'{worker_of(entry)}{said_by(entry)}'))}"


def worker_of(entry: dict[str, Any]) -> str:
    """The worker that an entry speaks of, such as ``[count T-3 a.md]`` and a blank; or nothing."""
    names = [one_line(str(entry[key])) for key in ("name", "task_id", "label") if entry.get(key)]
    return f"[{' '.join(names)}] " if names else ""


def titled(worker: dict[str, Any]) -> str:
    """A worker as messages name it, such as ``"count" [a.md]``: its ``name``, and its ``label``."""
    name, label = one_line(str(worker["name"])), worker.get("label")
    shown = name if name.startswith("function at ") else f'"{name}"'
    return f"{shown} [{one_line(str(label))}]" if label else shown


def reason_of(task: dict[str, Any]) -> str:
    """Why a task ended as it did, without its name: that stands before.

    :param task: with ``name``, ``label`` and ``reason``.
    """
    reason = str(task.get("reason") or "").removeprefix(f"worker {titled(task)} ")
    return reason.replace(f'worker "{task["name"]}": ', "", 1)


def words_before(ended: dict[str, Any], most: int) -> list[str]:
    """What somebody who failed had said before, where his error's message does not tell all of it.

    :param ended: with ``said``, what somebody who ran out of time had said last, or ``stderr``, the
        end of what a program wrote to its standard error.
    :param most: lines.
    """
    if isinstance(ended.get("said"), str):
        return [f"it said last: {harmless(ended['said'])}"]
    written = ended.get("stderr")
    text = written if isinstance(written, str) else ""
    lines = [harmless(as_it_stands(line)) for line in text.split("\n")]
    lines = [line for line in lines if line.strip()]
    if len(lines) < 2:
        return []  # the message has it
    return ["its standard error ended with:", *(f"  {line}" for line in lines[-most:])]


def said_by(entry: dict[str, Any]) -> str:
    """The message, and the fields behind it."""
    fields = entry.get("fields")
    shown = sorted(fields.items()) if isinstance(fields, dict) else []
    return str(entry["message"]) + "".join(f" {key}={_shown(value)}" for key, value in shown)


def _shown(value: Any) -> str:
    """A value as JSON spells it; a string that nobody could take for anything else is bare."""
    if isinstance(value, str) and value and _QUOTED.isdisjoint(value) and not _is_json(value):
        return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return text[0] in "[{"
    return True
