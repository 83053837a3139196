"""The tree of a run as lines of a terminal: a pure function from what
:meth:`swarm_host.host.Host.picture` gives, so that a frame can be looked at without a terminal.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from swarm_host.entries import one_line, reason_of
from swarm_host.view.cells import (
    cut,
    cut_middle,
    duration,
    padded,
    usage,
    width_of,
    without_colours,
)
from swarm_host.view.progress import progress_line

_ENDS = ("failed", "timeout", "cancelled", "blocked")
_NARROW = 60
"""Columns below which what is not needed to know a worker gives way."""
_TITLE_SHARE = 0.45
"""The part of a line that names may take where there is more to say."""
_LEAST_TITLE = 8
_TIME_COLUMNS = 6


class Look(NamedTuple):
    """What a terminal can show.

    :ivar colours: it has them, and nobody said ``NO_COLOR``.
    :ivar unicode: it takes more than ASCII.
    """

    colours: bool = True
    unicode: bool = True

    def style(self, text: str, codes: str) -> str:
        """Text with a style, such as ``1;31``."""
        return f"\x1b[{codes}m{text}\x1b[0m" if self.colours and text else text

    @property
    def end(self) -> str:
        """What stands where a text was cut."""
        return "…" if self.unicode else "~"


_GLYPHS = {
    "running": ("●", "*", "36"),
    "pending": ("○", "o", "2"),
    "cancelled": ("◌", "-", "33"),
    "failed": ("✗", "x", "31"),
    "timeout": ("✗", "x", "31"),
}
_GUIDES = {True: ("├─ ", "└─ ", "│  "), False: ("|- ", "`- ", "|  ")}


def frame(
    rows: Sequence[dict[str, Any]],
    counts: dict[str, int],
    seconds: float,
    columns: int,
    look: Look = Look(),  # noqa: B008 - a tuple
) -> list[str]:
    """The lines of a frame, each of at most so many columns: the tree, and below it the counts.

    :param rows: as :meth:`swarm_host.host.Host.picture` gives them; beside that a row may have
        ``said``, the last line that its process wrote to its standard error.
    :param counts: as :meth:`swarm_host.host.Host.counts` gives them.
    :param seconds: for how long the run goes on.
    """
    if not look.unicode:
        rows = [{name: _in_ascii(one) for name, one in row.items()} for row in rows]
    heads = list(zip(_guides(rows, look), map(titled_row, rows), strict=True))
    widest = max((width_of(f"{guide}  {title}") for guide, title in heads), default=0)
    room = max(min(widest, int(columns * _TITLE_SHARE)), _LEAST_TITLE)
    times = [_time(row) for row in rows]
    if columns >= _NARROW:
        most = max(map(len, times), default=0)
        times = [time.rjust(most) for time in times]
    lines = [
        _left_out(row, head[0], columns, look)
        if "left_out" in row
        else _line(row, *head, time, room, columns, look)
        for row, head, time in zip(rows, heads, times, strict=True)
    ]
    counted = cut(_dots(progress_line(counts, seconds), look), columns, look.end)
    return [*lines, look.style(counted, "1")]


def _in_ascii(value: Any) -> Any:
    """A text as a terminal of ASCII has it: before it is measured."""
    return value.encode("ascii", "backslashreplace").decode() if isinstance(value, str) else value


def titled_row(row: dict[str, Any]) -> str:
    """A worker's name, and its label, on one line."""
    name, label = str(row.get("name", "")), row.get("label")
    return one_line(f"{name} {label}" if label else name)


def _dots(text: str, look: Look) -> str:
    return text if look.unicode else text.replace("·", "-")


def _guides(rows: Sequence[dict[str, Any]], look: Look) -> list[str]:
    """What stands before each row, so that it is seen below whom it is."""
    branch, last, beside = _GUIDES[look.unicode]
    guides: list[str] = []
    open_at: set[int] = set()  # depths at which a row follows, seen from below
    for row in reversed(rows):
        depth = row["depth"]
        open_at = {one for one in open_at if one <= depth}
        parts = [beside if one in open_at else "   " for one in range(1, depth)]
        if depth:
            parts.append(branch if depth in open_at else last)
        open_at.add(depth)
        guides.append("".join(parts))
    return guides[::-1]


def _left_out(row: dict[str, Any], guide: str, columns: int, look: Look) -> str:
    """The mark of those that there is no room for."""
    more = "+" if row.get("is_cut") else ""
    return look.style(cut(f"{guide}{look.end} {row['left_out']}{more} more", columns), "2")


def _time(row: dict[str, Any]) -> str:
    return "" if row.get("seconds") is None else duration(row["seconds"])


def _line(
    row: dict[str, Any],
    guide: str,
    title: str,
    time: str,
    room: int,
    columns: int,
    look: Look,
) -> str:
    kind = "cancelled" if row.get("cancelled") else row["status"]
    shape, plain, colour = _GLYPHS[kind]
    glyph = shape if look.unicode else plain
    known = room - width_of(guide) - 2
    name, _, label = padded(cut_middle(title, known, look.end), known).partition(" ")
    bold = "1" if row["status"] in ("running", "failed", "timeout") else "2"
    head = f"{look.style(guide, '2')}{look.style(glyph, colour)} {look.style(name, bold)} {label}"
    parts = [head, *([look.style(time, "2")] if time else []), *_rest(row, columns, look)]
    line = cut(" ".join(parts), columns, look.end)
    return line + ("\x1b[0m" if look.colours else "")


def _rest(row: dict[str, Any], columns: int, look: Look) -> list[str]:
    """What there is to say of a worker beside its name."""
    parts = []
    if (row.get("attempt") or 1) > 1:
        parts.append(look.style(f"attempt {row['attempt']}", "33"))
    used = usage(row.get("used") or {})
    if used and columns >= _NARROW:
        parts.append(look.style(used, "35"))
    if row.get("cancelled"):
        parts.append(look.style("is cancelled", "33"))
    said = said_of(row)
    if row["status"] in ("failed", "timeout"):
        parts.append(look.style(f"{row['status']}: {one_line(reason_of(row))}", "31"))
    elif said:
        parts.append(said)
    elif row.get("why"):
        why = reason_of({**row, "reason": row["why"]})
        parts.append(look.style(f"after: {one_line(why)}", "33"))
    counted = _dots(_counted(row), look)
    if counted:
        parts.append(look.style(counted, "2"))
    elif row.get("waits_for") and not (said or row.get("why")):
        parts.append(look.style(f"waits for {one_line(str(row['waits_for']))}", "2"))
    return parts


def said_of(row: dict[str, Any]) -> str:
    """The last that a worker has said of itself."""
    stage, note = row.get("stage"), row.get("note")
    if stage == "stderr":
        return one_line(without_colours(str(note)))
    if stage:
        return one_line(f"{stage}: {note}" if note else str(stage))
    return one_line(str(row.get("said") or ""))


def _counted(row: dict[str, Any]) -> str:
    """What became of those that a worker has spawned, and how many go on."""
    ends = row.get("ends") or {}
    more = "+" if row.get("is_cut") else ""
    parts = [f"{row[kind]}{more} {kind}" for kind in ("running", "pending") if row.get(kind)]
    if ends.get("pass"):
        parts.append(f"{ends['pass']} passed")
    parts += [f"{ends[name]} {name}" for name in _ENDS if ends.get(name)]
    return " · ".join(parts)
