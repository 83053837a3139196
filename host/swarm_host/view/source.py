"""A line of an author's file, with a caret under what an error speaks of."""

from __future__ import annotations

import re
from itertools import islice
from pathlib import Path

from swarm_host.entries import printable

_WHERE = re.compile(r"(.+):(\d+)", re.DOTALL)
_QUOTED = re.compile(r"near '(.+?)'(?: |$)|global '(\w+)'|field '(\w+)'|(?:local|upvalue) '(\w+)'")
_NAMED = re.compile(r'"([^"\n]+)"')
_MOST = 100
"""Characters of a line shown; of a longer one, those around the caret."""

_TAB = "    "


def excerpt(where: str, message: str) -> list[str]:
    """The line at ``where`` (file:line) and a caret below it, or nothing where it cannot be read.

    Lua gives no column: the caret stands under what the message quotes, where that is there just
    once, else under the first character that is not blank.
    """
    found = _WHERE.fullmatch(where)
    if found is None:
        return []
    number, path = int(found[2]), Path(found[1])
    try:
        if not path.is_file():
            return []  # a pipe: whoever opens it waits
        with path.open(errors="replace") as file:
            line = next(islice(file, number - 1, None), None)
    except (OSError, ValueError):
        return []
    if line is None or not line.strip():
        return []
    line = line.rstrip()
    column = _column(line, message)
    before, after = line[:column].replace("\t", _TAB), line[column:].replace("\t", _TAB)
    if len(before) + len(after) > _MOST:
        cut = max(0, len(before) - _MOST // 2)
        before = f"...{before[cut:]}" if cut else before
        after = after[: _MOST - len(before)]
    margin = f"  {number} | "
    blank = " " * (len(margin) - 2) + "| "
    return [f"{margin}{printable(before)}{printable(after)}", f"{blank}{' ' * len(before)}^"]


def _column(line: str, message: str) -> int:
    first = len(line) - len(line.lstrip())
    if "near '<eof>'" in message:
        return len(line)
    quoted = [name for groups in _QUOTED.findall(message) for name in groups if name]
    for name in [*quoted, *_NAMED.findall(message)[::-1]]:
        pattern = re.escape(name)
        if re.fullmatch(r"\w+", name):
            pattern = rf"\b{pattern}\b"
        places = [match.start() for match in re.finditer(pattern, line)]
        if len(places) == 1:
            return places[0]
    return first
