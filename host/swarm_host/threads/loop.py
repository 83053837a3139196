"""An event loop, in a thread of its own, which can be left behind.

Lua that computes without end holds its thread, and nothing but the end of the process stops it. So
whoever waits for Lua must not be in that thread, must notice, and must be able to go on without it.
"""

from __future__ import annotations

import asyncio
import os
import resource
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from importlib.util import find_spec
from typing import Any

import anyio


def run(main: Callable[[], Awaitable[Any]]) -> None:
    """Runs a coroutine function in a new event loop, uvloop's where that is installed."""
    # find_spec instead of an import: importing a loop that is not used costs start-up.
    fast = find_spec("uvloop") is not None
    anyio.run(main, backend_options={"use_uvloop": True} if fast else {})


STACK_BYTES = 256 * 1024 * 1024
"""The thread's stack. A Lua function that ``string.gsub`` calls takes more than 8 KiB of it; with
so much, Lua's own bound on depth, an error like any other, comes first (128 MiB would do). It is
taken as it is used, and children have the limits that this process was started with."""

_PART = 4
"""Where the process's memory is bounded the stack is at most this part of it."""


def _stack_bytes() -> int:
    most = resource.getrlimit(resource.RLIMIT_AS)[0]
    if most == resource.RLIM_INFINITY:
        return STACK_BYTES
    return min(STACK_BYTES, most // _PART // resource.getpagesize() * resource.getpagesize())


class LoopThread:
    """Runs a coroutine function in an event loop and a thread of its own, which can be left behind.

    :param name: the thread's.
    :param main: what to run.
    :ivar problem: what it raised, once it is over.
    """

    def __init__(self, name: str, main: Callable[[], Awaitable[None]]) -> None:
        self.problem: BaseException | None = None
        self._main = main
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        # A pipe, not a lock: who waits for a signal as well waits for both in one select.
        self._over, self._tell = os.pipe()
        self._answered = True

    def start(self) -> None:
        """Begins."""
        before = threading.stack_size(_stack_bytes())
        try:
            self._thread.start()
        finally:
            threading.stack_size(before)

    def fileno(self) -> int:
        """What becomes readable once it is over."""
        return self._over

    def close(self) -> None:
        """It is over: waits for the thread's last moments. Not for one that is left behind."""
        self._thread.join()
        os.close(self._over)
        os.close(self._tell)

    def call(self, function: Callable[..., object], *arguments: object) -> None:
        """Has a function called in the loop; by nobody where there is no loop yet, or any more."""
        if self._loop is not None:
            with suppress(RuntimeError):  # the loop is closed: it is about to be over
                self._loop.call_soon_threadsafe(function, *arguments)

    def ask(self) -> None:
        """Asks the loop whether it still answers; look at :attr:`answers` afterwards."""
        self._answered = False
        self.call(self._answer)

    @property
    def answers(self) -> bool:
        """Whether the last question was answered, or none is open."""
        return self._answered

    def _answer(self) -> None:
        self._answered = True

    def _run(self) -> None:
        try:
            run(self._run_main)
        except BaseException as problem:
            self.problem = problem
        finally:
            with suppress(OSError):  # it was left behind, and came back
                os.write(self._tell, b".")

    async def _run_main(self) -> None:
        self._loop = asyncio.get_running_loop()
        await self._main()
