"""What an agent's process is told, in order, and how much of it the process has not taken yet."""

from __future__ import annotations

from collections import deque
from typing import Any

import anyio

MOST_UNREAD = 4 * 1024 * 1024
"""Bytes for an agent that it has not read, from which on nothing more is taken from it."""

INPUT = {"input": True}


class Outbox:
    """Keeps what is told until the process asks for it."""

    def __init__(self) -> None:
        self._pieces: deque[tuple[Any, bytes | None]] = deque()
        self._given = anyio.Event()
        self._sizes: deque[int] = deque()  # of lines that are not taken yet
        self._unread = 0
        self._took = anyio.Event()

    def put(self, told: Any, data: bytes | None = None) -> None:
        """Something for the process."""
        self._pieces.append((told, data))
        self._given.set()

    def send(self, line: bytes) -> None:
        """A line for the agent's input."""
        self._sizes.append(len(line))
        self._unread += len(line)
        self.put(INPUT, line)

    async def receive(self) -> tuple[Any, bytes | None]:
        """The process asks for what it is told."""
        while not self._pieces:
            self._given = anyio.Event()
            await self._given.wait()
        return self._pieces.popleft()

    def took(self) -> None:
        """The process has taken a line, or reads no more."""
        self._unread -= self._sizes.popleft()
        self._took.set()

    async def until_read(self, seconds: float) -> int:
        """Waits where the agent does not read what it is told.

        :param seconds: how long it may take for one line of it.
        :return: 0; or how many bytes it has not read, where it took longer.
        """
        while self._unread > MOST_UNREAD:
            self._took = anyio.Event()
            with anyio.move_on_after(seconds) as limit:
                await self._took.wait()
            if limit.cancelled_caught:
                return self._unread
        return 0
