"""Text in the columns of a terminal: wide characters, emoji and accents take what they take there.

The library that knows (wcwidth) costs a start 15 to 30 ms: it is loaded when there is something to
cut, or before by :func:`load`, in a thread of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from swarm_host.entries import as_it_stands, one_line

_LAST_BYTES = 4096
_LEAST_CUT = 8
"""Columns below which a text is cut at its end: of two parts nobody would make anything."""


def load() -> None:
    """Loads what measures text."""
    import wcwidth  # noqa: F401


def width_of(text: str) -> int:
    """The columns that a text of one line takes; colours take none."""
    if text.isascii() and text.isprintable():
        return len(text)
    import wcwidth

    return wcwidth.width(text)


def cut(text: str, columns: int, end: str = "…") -> str:
    """A text of at most so many columns; where it is longer its last one is ``end``."""
    if columns <= 0:
        return ""
    if (len(text) <= columns and text.isascii()) or width_of(text) <= columns:
        return text
    import wcwidth

    return wcwidth.clip(text, 0, columns - 1) + end


def cut_middle(text: str, columns: int, end: str = "…") -> str:
    """The same, but what a text ends with stays: the number of a page, the name of a file."""
    if columns < _LEAST_CUT or width_of(text) <= columns:
        return cut(text, columns, end)
    import wcwidth

    kept = columns * 2 // 3
    last = wcwidth.clip(text, width_of(text) - kept, width_of(text))
    return cut(text, columns - width_of(last), end) + last


def padded(text: str, columns: int) -> str:
    """A text of exactly so many columns."""
    text = cut(text, columns)
    return text + " " * (columns - width_of(text))


def without_colours(text: str) -> str:
    """A text without the sequences that terminals obey."""
    if "\x1b" not in text:
        return text
    import wcwidth

    return wcwidth.strip_sequences(text)


def last_line(data: bytes) -> str:
    """The last line of what a program has written that is not blank, as it stands on a screen:
    without its colours, and what it wrote over."""
    for line in reversed(data[-_LAST_BYTES:].decode(errors="replace").split("\n")):
        shown = one_line(without_colours(as_it_stands(line)))
        if shown:
            return shown
    return ""


def duration(seconds: float) -> str:
    """A time as people read it: ``7 s``, ``2:05`` (minutes), ``1:02:05`` (hours)."""
    whole = int(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def amount(number: float) -> str:
    """A large number in short: ``950``, ``12.4k``, ``3.1M``."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= size:
            return f"{number / size:.1f}{letter}"
    return f"{number:g}" if number == int(number) else f"{number:.1f}"


def dollars(cost: float) -> str:
    """An amount of money, such as ``$0.31``."""
    return f"${cost:.2f}" if cost >= 0.01 else f"${cost:.4f}"


def _is_amount(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def usage(used: Mapping[str, Any]) -> str:
    """What was used, such as ``12.4k tokens $0.31``; nothing where nothing is known."""
    used = {name: one for name, one in used.items() if _is_amount(one)}
    parts = []
    tokens = used.get("tokens") or used.get("input", 0) + used.get("output", 0)
    if tokens:
        parts.append(f"{amount(tokens)} tokens")
    if used.get("cost"):
        parts.append(dollars(used["cost"]))
    return " ".join(parts)
