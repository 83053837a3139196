"""A coroutine in a thread of its own, which can be left behind.

Lua that computes without end holds its thread, and nothing but the end of the process stops it. So
whoever waits for Lua must not be in that thread, must notice, and must be able to go on without it.
"""

from __future__ import annotations

import asyncio
import os
import select
import threading
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Generic, TypeVar

import anyio

from swarm_host import loop
from swarm_host.testing.signals import Interrupted, Signals

T = TypeVar("T")

LOOK_SECONDS = 1.0
"""Once the time is up: how often the thread is asked whether it still answers, and how long an
answer may take."""

CLEAN_UP_SECONDS = 15.0
"""How long a thread that answers may take to end after its time was up."""

CANCEL_SECONDS = 3.0
"""The same after Ctrl-C."""


class Held(Exception):
    """The thread does not answer any more; it was left behind."""


class Apart(Generic[T]):
    """Runs ``work`` in an event loop and a thread of its own.

    :param work: what to run. It gets a cancel scope to open around what a signal may cut short, but
        not around what cleans up: that must go on.
    """

    def __init__(self, work: Callable[[anyio.CancelScope], Awaitable[T]]) -> None:
        self._work = work
        self._loop: asyncio.AbstractEventLoop | None = None
        self._scope: anyio.CancelScope | None = None
        self._result: list[T] = []
        self._problem: BaseException | None = None
        self._over, self._tell = os.pipe()
        self._answered = True

    def run(self, seconds: float, signals: Signals | None) -> T:
        """Runs it, and returns what it returned.

        :param seconds: when it should have ended by itself; afterwards it must at least answer.
        :param signals: what cancels it.
        :raises Held: the thread does not answer, and was left behind.
        :raises Interrupted: a signal came.
        """
        threading.Thread(target=self._thread, name="spec", daemon=True).start()
        try:
            self._wait(time.monotonic() + seconds, signals)
        finally:
            if signals is not None and signals.received is not None:
                signals.let_go()
        os.close(self._over)
        os.close(self._tell)
        if signals is not None and signals.received is not None:
            raise Interrupted(signals.received)
        if self._problem is not None:
            raise self._problem
        return self._result[0]

    def _wait(self, due: float, signals: Signals | None) -> None:
        end = due + CLEAN_UP_SECONDS
        listened = [self._over] if signals is None else [self._over, signals.fileno()]
        while True:
            now = time.monotonic()
            pause = max(due - now, 0) + LOOK_SECONDS
            ready = select.select(listened, [], [], pause)[0]
            if self._over in ready:
                return
            if signals is not None and signals.fileno() in ready and signals.read() is not None:
                now = time.monotonic()
                due, end = now, now + CANCEL_SECONDS
                self._call(self._cancel)
            elif not ready and (not self._answered or time.monotonic() > end):
                if signals is not None and signals.received is not None:
                    raise Interrupted(signals.received, held=True)
                raise Held
            if not ready:
                self._answered = False
                self._call(self._answer)

    def _answer(self) -> None:
        self._answered = True

    def _cancel(self) -> None:
        if self._scope is not None:
            self._scope.cancel()

    def _call(self, function: Callable[[], None]) -> None:
        if self._loop is not None:
            with suppress(RuntimeError):  # the loop is closed: it is about to be over
                self._loop.call_soon_threadsafe(function)

    def _thread(self) -> None:
        try:
            loop.run(self._main)
        except BaseException as problem:
            self._problem = problem
        finally:
            with suppress(OSError):  # it was left behind, and came back
                os.write(self._tell, b".")

    async def _main(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._scope = anyio.CancelScope()
        self._result.append(await self._work(self._scope))
