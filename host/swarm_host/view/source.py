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


def excerpt(where: str, message: str, column: int | None = None, length: int = 1) -> list[str]:
    """The line at ``where`` (file:line) and a caret below it, or nothing where it cannot be read.

    :param column: where the caret stands, from 1; None: :func:`column_in`.
    :param length: how many characters are meant.
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
    start = column_in(line, message) if column is None else column - 1
    before, after = line[:start].replace("\t", _TAB), line[start:].replace("\t", _TAB)
    if len(before) + len(after) > _MOST:
        cut = max(0, len(before) - _MOST // 2)
        before = f"...{before[cut:]}" if cut else before
        after = after[: _MOST - len(before)]
    margin = f"  {number} | "
    blank = " " * (len(margin) - 2) + "| "
    under = "^" + "~" * (min(length, len(after)) - 1)
    return [f"{margin}{printable(before)}{printable(after)}", f"{blank}{' ' * len(before)}{under}"]


def column_in(line: str, message: str) -> int:
    """Where in a line, from 0, a message that gives no column means: what it quotes, where that is
    there just once, else the first character that is not blank."""
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
