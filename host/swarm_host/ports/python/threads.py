"""Threads for functions that may block: so many at once, and none that keeps the process alive.

They are the process's own kind of thread, not anyio's: one that is abandoned ends with the process,
and what many of them bring back wakes the loop once.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from typing import Any

from anyio import CapacityLimiter, WouldBlock


class Work:
    """One piece of work.

    :ivar loop: the loop that waits for it.
    :ivar thread: the number of the thread that does it, once it has begun.
    """

    __slots__ = ("_outcome", "_over", "_waiter", "loop", "thread")

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self._outcome: Any = None
        self._over = False
        self._waiter: asyncio.Future[None] | None = None
        self.thread: int | None = None

    def end(self, outcome: Any) -> None:
        """It has ended; called in the loop."""
        self._outcome, self._over = outcome, True
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def ended(self) -> Any:
        """What it came to, once it has; who waits may be cancelled, and wait again."""
        while not self._over:
            self._waiter = self.loop.create_future()
            await self._waiter
        return self._outcome


class Threads:
    """Threads of one kind, for one loop.

    :param most: how many work at once; those that were left behind aside.
    """

    def __init__(self, most: int) -> None:
        self._places = CapacityLimiter(most)
        self._loop = asyncio.get_running_loop()
        self._asked: SimpleQueue[tuple[Work, Callable[[], Any]] | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._idle = 0
        self._closed = False
        self._ended: deque[tuple[Work, Any]] = deque()

    async def place(self, work: Work) -> None:
        """Waits for a place, which is kept until :meth:`leave`."""
        try:
            self._places.acquire_on_behalf_of_nowait(work)
        except WouldBlock:
            await self._places.acquire_on_behalf_of(work)

    def leave(self, work: Work) -> None:
        """Gives the place back, whether its thread has ended or is left behind."""
        self._places.release_on_behalf_of(work)

    def begin(self, work: Work, function: Callable[[], Any]) -> None:
        """Has a thread call a function, which raises nothing, and the work end with what it gives.

        It has a context of its own.
        """
        with self._lock:
            is_new = self._idle == 0
            if not is_new:
                self._idle -= 1
        self._asked.put((work, function))
        if is_new:
            threading.Thread(target=self._serve, name="swarm-host python", daemon=True).start()

    def close(self) -> None:
        """Those that wait for work end, and the others once they have ended theirs."""
        with self._lock:
            idle, self._idle, self._closed = self._idle, 0, True
        for _ in range(idle):
            self._asked.put(None)

    def _serve(self) -> None:
        mine = threading.get_ident()
        while (taken := self._asked.get()) is not None:
            work, function = taken
            work.thread = mine
            outcome = contextvars.Context().run(function)
            work.thread = None
            with self._lock:
                closed = self._closed
                self._idle += 1
                self._ended.append((work, outcome))
                wakes = len(self._ended) == 1
            del taken, work, function, outcome
            if wakes:
                with suppress(RuntimeError):  # the loop is closed
                    self._loop.call_soon_threadsafe(self._tell)
            if closed:
                return

    def _tell(self) -> None:
        with self._lock:
            ended, self._ended = self._ended, deque()
        for work, outcome in ended:
            work.end(outcome)
