"""Reading of messages: JSON of any size costs time, and that is the run's first."""

from __future__ import annotations

import json
import re
import time
from typing import Any

import anyio
import anyio.lowlevel

MOST_VALUES = 250_000
"""Values in one message."""

SHARE = 4.0
"""For the time that a message took to read, so many times as much is the run's before the next one:
to read it is about a quarter of what it costs."""

SHORT = 0.005
"""Seconds that may be owed to the run."""


_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)


class NoMessage(Exception):
    """This cannot be read; the text says why."""


class Reader:
    """Reads messages of all connections, one after another."""

    def __init__(self) -> None:
        self._turn = anyio.Lock()
        self._free = 0.0  # on the monotonic clock: from then on nothing is owed

    async def read(self, line: bytes) -> Any:
        """What a line says.

        :raises NoMessage: it is no JSON, or says too much.
        """
        async with self._turn:
            owed = self._free - time.monotonic()
            if owed > SHORT:
                await anyio.sleep(owed)
            else:
                await anyio.lowlevel.checkpoint()
            began = time.monotonic()
            try:
                return _read(line)
            finally:
                self._free = max(self._free, began) + SHARE * (time.monotonic() - began)


def _read(line: bytes) -> Any:
    if _has_more(line, MOST_VALUES):
        raise NoMessage(f"a message has at most {MOST_VALUES} values")
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        raise NoMessage("this is no JSON, or it is nested too deep") from None


def _has_more(line: bytes, most: int) -> bool:
    """Whether a line has more values. One that is read may take a hundred times its bytes, so they
    are counted before: each but the first has a comma or a bracket in front of it."""
    if _marks(line) < most:
        return False
    if line.count(b'"') - line.count(b'\\"') > 4 * most:
        return True  # so many strings
    return _marks(_STRING.sub(b"", line)) >= most


def _marks(line: bytes) -> int:
    return line.count(b",") + line.count(b"[") + line.count(b"{")
