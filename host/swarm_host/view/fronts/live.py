"""A frame that stays at the bottom of a terminal: what is written meanwhile scrolls above it.

Each change is one write, so that nobody sees a half of it; where a terminal knows how, it is told
where a change begins and ends. Lines are rewritten in place, and what is left of the old ones is
erased behind them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from swarm_host.view.cells import width_of

_BEGIN, _END = b"\x1b[?2026h\x1b[?25l\x1b[?7l", b"\x1b[?7h\x1b[?25h\x1b[?2026l"
"""A change: the terminal shows it as a whole, without a cursor, and breaks no line."""

_MOST_OPEN = 4096
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_UNKNOWN = b"\x1b"
"""Stands for a line without its end of more bytes than these: it cannot be written anew."""


class Live:
    """What to write to a terminal so that a frame stays below all else.

    :param encoding: the terminal's.
    """

    def __init__(self, encoding: str) -> None:
        self._encoding = encoding
        self._lines: list[bytes] = []  # that stand there
        self._widths: list[int] = []
        self._columns = 0  # as they were drawn
        self._open = b""  # what was written last, where its line has no end yet

    @property
    def stands(self) -> bool:
        """Whether a frame stands there."""
        return bool(self._lines)

    @property
    def is_open(self) -> bool:
        """Whether what was written last has no line end."""
        return bool(self._open)

    def draw(self, lines: Sequence[str], columns: int) -> bytes:
        """Puts a frame in the place of the one that stands there.

        :param lines: none: the frame goes.
        :param columns: of the terminal.
        """
        encoded = [line.encode(self._encoding, "backslashreplace") for line in lines]
        if encoded == self._lines and columns == self._columns:
            return b""
        widths = [width_of(line) for line in lines]
        before = self._back(columns)
        if not encoded:
            self._lines, self._widths = [], []
            return _BEGIN + before + b"\x1b[J" + self._open + _END
        self._lines, self._widths, self._columns = encoded, widths, columns
        above = before + (b"" if self._open == _UNKNOWN else self._open.rstrip(b"\r"))
        return _BEGIN + above + self._ended(columns) + self._below() + _END

    def around(self, data: bytes, columns: int) -> bytes:
        """Writes data where the frame stands, and the frame below it."""
        before, back = self._open, self._back(columns)
        _, newline, rest = data.rpartition(b"\n")
        rest = rest if newline else before + rest
        stays = rest.rstrip(b"\r").rpartition(b"\r")[2]
        stays += b"\r" if rest.endswith(b"\r") else b""  # what follows is written over it
        self._open = stays if len(stays) <= _MOST_OPEN else _UNKNOWN
        if not self._lines:
            return data
        self._columns = columns
        above = (before + data).rstrip(b"\r") + self._ended(columns)
        return _BEGIN + back + b"\x1b[J\x1b[?7h" + above + b"\x1b[?7l" + self._below() + _END

    def _ended(self, columns: int) -> bytes:
        """What ends a line that cannot be written anew."""
        text = self._open_text()
        if self._open != _UNKNOWN and (
            not text or (text.isprintable() and width_of(text) < columns)
        ):
            return b""
        self._open = b""
        return b"\r\n"

    def _open_text(self) -> str:
        text = self._open.rstrip(b"\r").decode(self._encoding, "replace")
        return _COLOUR.sub("", text).expandtabs()

    def _below(self) -> bytes:
        """The frame, below a line that has no end yet, or from the left edge on."""
        lines = [b"", *self._lines] if self._open else self._lines
        return b"\x1b[K\r\n".join(lines) + b"\x1b[K\x1b[J"

    def _back(self, columns: int) -> bytes:
        """Goes to where the frame begins. A terminal that has become narrower has broken its
        lines."""
        if not self._lines:
            return b"\r" if self._open else b""
        rows = len(self._lines) + bool(self._open)
        if 0 < columns < self._columns:
            stood = [min(width, self._columns) for width in self._widths]
            stood.append(width_of(self._open_text()))
            rows += sum((width - 1) // columns for width in stood if width > columns)
        return b"\r" + (b"\x1b[%dA" % (rows - 1) if rows > 1 else b"")
