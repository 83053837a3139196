"""Work that may hang: it runs in a thread of its own, for so long, and then it is left behind."""

from __future__ import annotations

import select
import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

import anyio

from swarm_host.threads.loop import LoopThread
from swarm_host.threads.signals import Interrupted, Signals

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
        self._thread = LoopThread("spec", self._main)
        self._scope: anyio.CancelScope | None = None
        self._result: list[T] = []

    def run(self, seconds: float, signals: Signals | None) -> T:
        """Runs it, and returns what it returned.

        :param seconds: when it should have ended by itself; afterwards it must at least answer.
        :param signals: what cancels it.
        :raises Held: the thread does not answer, and was left behind.
        :raises Interrupted: a signal came.
        """
        self._thread.start()
        try:
            self._wait(time.monotonic() + seconds, signals)
        finally:
            if signals is not None and signals.received is not None:
                signals.let_go()
        self._thread.close()
        if signals is not None and signals.received is not None:
            raise Interrupted(signals.received)
        if self._thread.problem is not None:
            raise self._thread.problem
        return self._result[0]

    def _wait(self, due: float, signals: Signals | None) -> None:
        end = due + CLEAN_UP_SECONDS
        while True:
            pause = max(due - time.monotonic(), 0) + LOOK_SECONDS
            came, over = self._one_of(signals, pause)
            if over:
                return
            if came:
                now = time.monotonic()
                due, end = now, now + CANCEL_SECONDS
                self._thread.call(self._cancel)
                continue
            if not self._thread.answers or time.monotonic() > end:
                if signals is not None and signals.received is not None:
                    raise Interrupted(signals.received, held=True)
                raise Held
            self._thread.ask()

    def _one_of(self, signals: Signals | None, seconds: float) -> tuple[bool, bool]:
        if signals is not None:
            return signals.wait(self._thread, seconds)
        return False, bool(select.select([self._thread], [], [], seconds)[0])

    def _cancel(self) -> None:
        if self._scope is not None:
            self._scope.cancel()

    async def _main(self) -> None:
        self._scope = anyio.CancelScope()
        self._result.append(await self._work(self._scope))
