"""Work that may block, in threads: so many at once, and what is stuck counts until it ends.

Who goes (its worker was cancelled) leaves the thread behind, for no one can end it, or waits until
what it does has looked and has ended. It keeps its place meanwhile: a file system that hangs costs
so many threads and no more.
"""

from __future__ import annotations

import asyncio
import math
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from anyio import CancelScope, CapacityLimiter, Event, WouldBlock, to_thread

T = TypeVar("T")


class Left(Exception):
    """Raised in a thread whose caller has gone."""


class Work:
    """One piece of work in a thread, as seen from both sides."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._runs = False
        self._left = False

    def begin(self) -> None:
        """The thread begins.

        :raises Left: its caller has gone already.
        """
        with self._lock:
            self.check()
            self._runs = True

    def check(self) -> None:
        """To be called now and then by what takes long.

        :raises Left: nobody waits for it any more.
        """
        if self._left:
            raise Left

    def end(self) -> bool:
        """The thread is through. True where its caller has gone before."""
        with self._lock:
            self._runs = False
            return self._left

    def leave(self) -> bool:
        """The caller goes. True where the thread still runs."""
        with self._lock:
            self._left = True
            return self._runs


class Threads:
    """Threads for one kind of work.

    :param most: how many there are at once.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._places: CapacityLimiter | None = None  # belongs to the loop that is running
        self._unlimited: CapacityLimiter | None = None

    async def run(self, function: Callable[[Work], T], *, abandon: bool) -> T:
        """Runs a function in a thread of its own.

        :param function: gets the work that it is, to look whether anybody waits for it.
        :param abandon: whether a cancelled caller goes at once, or waits for its end. It hears of
            that in either case, where it looks (:meth:`Work.check`).
        """
        if self._places is None or self._unlimited is None:
            self._places = CapacityLimiter(self._most)
            self._unlimited = CapacityLimiter(math.inf)
        places, work, loop = self._places, Work(), asyncio.get_running_loop()
        ended = Event()

        def leave_place() -> None:
            places.release_on_behalf_of(work)
            ended.set()

        def thread() -> T:
            work.begin()
            try:
                return function(work)
            finally:
                if work.end():
                    with suppress(RuntimeError):  # the loop is closed
                        loop.call_soon_threadsafe(leave_place)

        try:
            places.acquire_on_behalf_of_nowait(work)
        except WouldBlock:
            await places.acquire_on_behalf_of(work)
        try:
            return await to_thread.run_sync(thread, abandon_on_cancel=True, limiter=self._unlimited)
        finally:
            if not work.leave():
                leave_place()
            elif not abandon:
                with CancelScope(shield=True):
                    await ended.wait()
