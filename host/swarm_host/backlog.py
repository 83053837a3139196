"""What a thread that writes has not written yet, as the loop knows it: of a journal, an audit."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

AHEAD_BYTES = 8 << 20
"""Bytes that may wait for the disk, before the run waits too."""


class Backlog:
    """What one thread has before it. Belongs to the loop; the thread calls :meth:`reached`.

    :ivar problem: what went wrong, after which nothing is written any more; None: nothing.
    :ivar on_problem: called in the loop once something has.
    """

    def __init__(self) -> None:
        self.problem: Exception | None = None
        self.on_problem: Callable[[], object] = lambda: None
        self._put = self._done = 0
        self._bytes = 0  # about
        self._changed: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def holds_up(self) -> bool:
        """Whether the run is to wait: the disk is far behind, or is written no more."""
        return self._bytes > AHEAD_BYTES or self.problem is not None

    def begin(self) -> None:
        """The thread begins, for the loop that runs."""
        self._loop = asyncio.get_running_loop()

    def put(self, number: int, size: int) -> None:
        """The thread was given something.

        :param number: which it is, from 1.
        :param size: bytes.
        """
        self._put = number
        self._bytes += size

    async def written(self) -> None:
        """Waits until all that was put so far is written, or nothing is any more."""
        number = self._put
        while self._done < number and self.problem is None:
            self._changed = asyncio.Event()
            await self._changed.wait()

    def reached(self, number: int, problem: Exception | None) -> None:
        """So much is written, or something went wrong. Called in the thread."""
        assert self._loop is not None
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(self._reached, number, problem)

    def _reached(self, number: int, problem: Exception | None) -> None:
        if problem is not None:
            self.problem = problem
            self.on_problem()
        else:
            self._done = number
            if number == self._put:
                self._bytes = 0
        if self._changed is not None:
            self._changed.set()
