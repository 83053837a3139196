"""What a child writes, cut into whole items, so that what is handed on begins and ends with one.

Nothing is parsed here: items go to Lua as they are, many at once, and are taken apart there.
"""

from __future__ import annotations

import re
import struct
from typing import Protocol

from swarm_host.ports.secrets import Mask


class Broken(Exception):
    """The stream cannot be read any further.

    :param why: for the message.
    :ivar before: the items that were whole before.
    """

    def __init__(self, why: str, before: bytes) -> None:
        super().__init__(why)
        self.before = before


class Framing(Protocol):
    """Cuts one stream."""

    def feed(self, data: bytes, *, last: bool = False) -> bytes:
        """The items that are whole now, one after the other.

        :param data: the next bytes of the stream.
        :param last: nothing follows: what has no end is an item too.
        :raises Broken: the stream cannot be read any further.
        """
        ...


class Lines:
    """Lines, each at most so long; what is dropped of one is counted in it.

    :param most: bytes of a line, its end not counted.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._line = bytearray()
        self._dropped = 0

    def feed(self, data: bytes, *, last: bool = False) -> bytes:
        """The lines that are whole now, each with its end."""
        end = data.rfind(b"\n") + 1
        if end == 0:
            self._add(data)
            whole = b""
        elif self._dropped == 0 and len(self._line) + end <= self._most:
            whole = bytes(self._line) + data[:end] if self._line else data[:end]
            self._line.clear()
            self._add(data[end:])
        else:
            whole = self._one_by_one(data)
        if last and (self._line or self._dropped):
            whole += self._take()
        return whole

    def _one_by_one(self, data: bytes) -> bytes:
        *whole, rest = data.split(b"\n")
        lines = []
        for part in whole:
            self._add(part)
            lines.append(self._take())
        self._add(rest)
        return b"".join(lines)

    def _add(self, part: bytes) -> None:
        room = self._most - len(self._line)
        self._line += part[:room]
        self._dropped += max(0, len(part) - room)

    def _take(self) -> bytes:
        end = b" [%d bytes dropped]\n" % self._dropped if self._dropped else b"\n"
        line = bytes(self._line) + end
        self._line.clear()
        self._dropped = 0
        return line


MARK = b"\xef\xbb\xbf"
"""What a text may begin with that says it is UTF-8, and is no part of it."""


class ServerSent:
    """The lines of server-sent events, which may end in CR, LF or both (WHATWG HTML, 9.2.6).

    :param most: bytes of a line.
    """

    def __init__(self, most: int) -> None:
        self._lines = Lines(most)
        self._begins = True
        self._cr = b""  # or the beginning of the mark

    def feed(self, data: bytes, *, last: bool = False) -> bytes:
        """The lines that are whole now, each ending in LF."""
        data = self._cr + data
        if self._begins:
            if len(data) < len(MARK) and MARK.startswith(data) and not last:
                self._cr = data
                return b""
            self._begins = False
            data = data.removeprefix(MARK)
        self._cr = b"\r" if data.endswith(b"\r") and not last else b""
        if self._cr:
            data = data[:-1]
        return self._lines.feed(data.replace(b"\r\n", b"\n").replace(b"\r", b"\n"), last=last)


_HEAD = struct.Struct(">I")


class Frames:
    """Frames: four bytes with the length, big-endian, then so many bytes.

    :param most: bytes of a frame, its head not counted.
    :param mask: hides secrets in each frame by itself, for the masked one may be shorter.
    """

    def __init__(self, most: int, mask: Mask) -> None:
        self._most = most
        self._mask = mask if mask.hides else None
        self._data = bytearray()

    def feed(self, data: bytes, *, last: bool = False) -> bytes:
        """The frames that are whole now, each with its head."""
        kept = self._data
        kept += data
        at, end, why = 0, len(kept), ""
        while end - at >= 4:
            (size,) = _HEAD.unpack_from(kept, at)
            if size > self._most:
                why = (
                    f"a frame of {size} bytes, where {self._most} are the most: what it writes may "
                    "be no frames (four bytes of length, big-endian, then JSON); raise limits = "
                    "{ line = bytes } where they are"
                )
            if why or end - at - 4 < size:
                break
            at += 4 + size
        if last and at < end and not why:
            why = f"its output ends within a frame, after {end - at} bytes of it"
        whole = bytes(kept[:at])
        del kept[:at]
        if self._mask is not None:
            whole = self._masked(whole, self._mask)
        if why:
            raise Broken(why, whole)
        return whole

    def _masked(self, whole: bytes, mask: Mask) -> bytes:
        frames, at = [], 0
        while at < len(whole):
            end = at + 4 + int.from_bytes(whole[at : at + 4], "big")
            frame = mask.whole(whole[at + 4 : end])
            frames += [len(frame).to_bytes(4, "big"), frame]
            at = end
        return b"".join(frames)


_PARAMETERS, _BETWEEN = rb"[0-?]{0,256}", rb"[ -/]{0,16}"
_TEXT = rb"[\]PX^_][^\x07\x1b]{0,4096}"
"""Each has a bound: what is longer is no order, and nothing is kept for it."""

ESCAPES = re.compile(
    rb"\x1b\[" + _PARAMETERS + _BETWEEN + rb"[@-~]"  # control sequences: colours, the cursor
    rb"|\x1b" + _TEXT + rb"(?:\x07|\x1b\\)"  # titles, links and other strings
    rb"|\x1b" + _BETWEEN + rb"[0-OQ-WYZ\\`-~]"
)
"""What a terminal takes for orders (ECMA-48)."""

UNFINISHED = re.compile(
    rb"\x1b(?:\[" + _PARAMETERS + _BETWEEN + rb"|" + _TEXT + rb"\x1b?|" + _BETWEEN + rb")\Z"
)
"""The beginning of one at the end of a piece."""


class Plain:
    """Takes a terminal's orders out of a stream."""

    def __init__(self) -> None:
        self._kept = b""

    def feed(self, data: bytes, *, last: bool = False) -> bytes:
        """What is left of the stream so far; an order that has no end yet is kept."""
        text, left, at = self._kept + data, [], 0
        for order in ESCAPES.finditer(text):
            left.append(text[at : order.start()])
            at = order.end()
        begun = None if last else UNFINISHED.search(text, at)
        self._kept = b"" if begun is None else begun[0]
        left.append(text[at : None if begun is None else begun.start()])
        return b"".join(left)
