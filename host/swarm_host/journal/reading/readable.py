"""The texts of a journal, for people and programs that read them: values as JSON can say them, and
which of many a task is.

A value that only Lua can say (``lua/swarm/values/exact.lua`` has the marks) is said as nearly as
JSON can: a list or an object without its mark, bytes with U+FFFD for each that is not UTF-8, the
path of a file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from swarm_host.entries import one_line

HIDDEN = " "
"""The label of a task whose input must not be seen."""

_SHORT = 40
"""Characters of an input that stand for a label."""
_MASK = "***"
_SECRET = re.compile(
    "passw|passphrase|secret|credential|authorization|apikey|accesskey|privatekey|token$"
)
"""Names under which people keep secrets, as ``lua/swarm/values/masked.lua`` has them."""


def value_of(text: str) -> Any:
    """The value of a text; None for none.

    :raises ValueError: it is no such text.
    """
    if not text:
        return None
    value = json.loads(text)
    return _plain(value) if text[0] == " " else value


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(one) for one in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        [(mark, marked)] = value.items()
        if mark in _MARKS:
            return _MARKS[mark](marked)
    return {name: _plain(one) for name, one in value.items()}


def _pairs(pairs: list[list[Any]]) -> dict[str, Any]:
    return {str(_plain(name)): _plain(one) for name, one in pairs}


_MARKS: dict[str, Callable[[Any], Any]] = {
    "$bytes": lambda digits: bytes.fromhex(digits).decode(errors="replace"),
    "$array": lambda items: [_plain(one) for one in items],
    "$object": _plain,
    "$file": lambda parts: _plain(parts[0]),
    "$pairs": _pairs,
    "$error": lambda parts: _plain(parts[1]),
    "$kept": lambda parts: _plain(parts[1]),
}


def field_of(text: str) -> str:
    """A name or label of the journal as its author wrote it: one that would end a field, or is not
    UTF-8, stands there as JSON.

    :raises ValueError: it is no such text.
    """
    is_json = text.startswith('"') or (text.startswith(" ") and text != HIDDEN)
    return str(value_of(text)) if is_json else text


def label_of(label: str, key: str, read_input: Callable[[], Any]) -> str | None:
    """What stands beside a task's name: its label, its key among its siblings, or its input in
    short.

    :param label: of the journal.
    :param key: of the journal.
    :param read_input: gives the input, where that is needed.
    """
    if label == HIDDEN:
        return None
    return one_line(field_of(label or key)) or short(read_input()) or None


def short(value: Any) -> str:
    """A value in short, as it stands where there is no label; nothing for None."""
    if value is None:
        return ""
    text = one_line(value if isinstance(value, str) else json_of(masked(value)))
    return text if len(text) <= _SHORT else text[: _SHORT - 3] + "..."


def json_of(value: Any) -> str:
    """A value as ``swarm.json.encode`` writes it."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def masked(value: Any) -> Any:
    """A value without what stands under names of secrets."""
    if isinstance(value, list):
        return [masked(one) for one in value]
    if not isinstance(value, dict):
        return value
    return {name: _MASK if _is_secret(name) else masked(one) for name, one in value.items()}


def _is_secret(name: str) -> bool:
    return bool(_SECRET.search(name.lower().replace("_", "").replace("-", "")))
