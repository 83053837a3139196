"""One call of a function, to its end: in a thread where it may block, else in a task of its own."""

from __future__ import annotations

import asyncio
import inspect
import sys
import threading
from collections import deque
from dataclasses import dataclass
from typing import Any

from anyio import CancelScope, move_on_after, to_thread

from swarm_host.ports.contract import Answer, Call, PortError
from swarm_host.ports.python import crossing
from swarm_host.ports.python.context import Blocked, WorkerContext
from swarm_host.ports.python.functions import NOTHING, Function
from swarm_host.ports.python.modules import Modules
from swarm_host.ports.python.raised import Authors
from swarm_host.ports.python.threads import Threads, Work
from swarm_host.ports.python.typed import Misfit

LONG_INPUT = 20_000
"""Bytes of an input that is read in the loop; more is read in a thread."""

MOST_UNREAD = 1_000
"""Things that a function in a thread has said and nobody has taken yet: then it waits."""


_SAYING = threading.Lock()
"""Held while somebody begins to say something, or ends: for moments."""

MOST_CLOSES = 100
"""How often a coroutine is told to end that awaits something else each time."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A function of a generation.

    :ivar home: where it is written, as its author spells the place; None: not in Python.
    """

    function: Function
    modules: Modules
    authors: Authors
    home: str | None


class Run:
    """One call.

    :param loaded: what to call.
    :param about: whom for, and ``grace``, seconds that it has after its cancel.
    :param call: the request.
    """

    def __init__(self, loaded: Loaded, about: dict[str, Any], call: Call) -> None:
        self._loaded = loaded
        self._grace: float = about["grace"]
        self._token = str(about.get("token") or "").encode()
        self._data = call.data
        self._work = Work()
        self._ended = False
        self._request = call
        self._said: _Said | None = None  # few say anything
        self._context = WorkerContext(about, self._say)
        self._files = len(loaded.modules.files)

    async def in_thread(self, threads: Threads) -> Answer:
        """Runs it in a thread.

        :raises PortError: what it raised, as the author sees it.
        """
        await threads.place(self._work)
        try:
            threads.begin(self._work, self._call)
            return await self._to_the_end(None)
        finally:
            threads.leave(self._work)

    async def in_loop(self) -> Answer:
        """Runs it in a task of its own.

        :raises PortError: what it raised, as the author sees it.
        """
        try:
            if self._data is not None and len(self._data) > LONG_INPUT:
                given = await to_thread.run_sync(self._arguments)
            else:
                given = self._arguments()
        except Misfit as problem:
            return _misfit(problem)
        task = asyncio.get_running_loop().create_task(self._await(*given))
        task.add_done_callback(self._task_ended)
        return await self._to_the_end(task)

    def _say(self, text: bytes) -> None:
        with _SAYING:
            if self._ended:
                raise RuntimeError("the worker has ended: nothing is said for it any more")
            said = self._said
            if said is None:
                said = self._said = _Said(self._request, self._work.loop)
        said.say(text)

    async def _all_told(self) -> None:
        if self._said is not None:
            await self._said.all_told()

    # What runs. ------------------------------------------------------------------------------

    def _arguments(self) -> Any:
        value = NOTHING if self._data is None else crossing.read(self._data)
        return self._loaded.function.arguments(value)

    def _call(self) -> Answer | PortError | BaseException:
        """In a thread: all of it."""
        try:
            places, names = self._arguments()
        except Misfit as problem:
            return _misfit(problem)
        try:
            self._context._enter()
            result = self._loaded.function.call(*places, **names)
            return self._answer(result)
        except BaseException as raised:  # whatever it is, it is the worker's and not the thread's
            return self._problem(raised)

    async def _await(self, places: Any, names: Any) -> Answer | PortError:
        """In a task of its own. What would end the loop is an error as any other."""
        try:
            self._context._enter()
            result = await self._loaded.function.call(*places, **names)
            try:
                return self._answer(result, crossing.MOST_AT_ONCE)
            except crossing.Large:
                return await to_thread.run_sync(self._answer, result)
        except BaseException as raised:
            return self._problem(raised)

    def _task_ended(self, task: asyncio.Task[Answer | PortError]) -> None:
        # Cancelled before it had begun, or closed.
        ended = None if task.cancelled() or task.exception() is not None else task.result()
        self._work.end(ended)

    def _problem(self, raised: BaseException) -> PortError:
        return self._loaded.authors.problem(raised, self._loaded.home)

    def _answer(self, result: Any, most: float = float("inf")) -> Answer:
        about: dict[str, Any] = {}
        if isinstance(result, Blocked):
            about["blocked"], result = result.reason, result.value
        if len(self._loaded.modules.files) > self._files:
            about["files"] = list(self._loaded.modules.files)
        if inspect.iscoroutine(result):
            result.close()  # nobody awaits it: the error says so, and Python need not
        if result is None:
            data = None
        elif isinstance(result, bytes | bytearray):
            about["raw"], data = True, self._masked(bytes(result))
        else:
            data = self._masked(crossing.write(result, "result", most))
        return Answer(about or None, data)

    def _masked(self, data: bytes) -> bytes:
        return data.replace(self._token, b"***") if self._token else data

    # Waiting. --------------------------------------------------------------------------------

    async def _to_the_end(self, task: asyncio.Task[Any] | None) -> Answer:
        """Waits for its end. Once it is cancelled it has some time, and is then left behind."""
        try:
            ended = await self._work.ended()
            await self._all_told()
        except asyncio.CancelledError:
            self._context._cancel("the worker was cancelled")
            if task is not None:
                task.cancel()
            with CancelScope(shield=True), move_on_after(self._grace) as grace:
                await self._work.ended()
                await self._all_told()
            if not grace.cancelled_caught:
                raise
            place = self._left_at(task)
            if task is not None:
                _close(task)
            return Answer({"abandoned": place or self._loaded.home or ""})
        finally:
            with _SAYING:
                self._ended = True
            if self._said is not None:
                self._said.close()
        if isinstance(ended, Answer):
            return ended
        raise ended

    def _left_at(self, task: asyncio.Task[Any] | None) -> str | None:
        if task is not None:
            stack = task.get_stack()
            frames = [self._loaded.authors.at_work(frame) for frame in reversed(stack)]
            return next(filter(None, frames), None)
        thread = self._work.thread
        frame = sys._current_frames().get(thread) if thread is not None else None
        return self._loaded.authors.at_work(frame)


def _close(task: asyncio.Task[Any]) -> None:
    """Ends a task whose coroutine catches every cancel: the loop could never be closed."""
    coroutine = task.get_coro()
    for _ in range(MOST_CLOSES):
        try:
            coroutine.close()
            break
        except RuntimeError:  # it awaits something else as it is closed
            continue
        except BaseException:  # the clean-up of one that is abandoned: nobody waits for it
            break
    task.cancel()  # it looks at its coroutine, and ends


def _misfit(problem: Misfit) -> Answer:
    return Answer({"misfit": {"path": problem.steps, "message": problem.message}})


class _Said:
    """What a function says, on its way to its worker: in order, and many at once.

    :param call: the request.
    :param loop: the loop that it is served in.
    """

    def __init__(self, call: Call, loop: asyncio.AbstractEventLoop) -> None:
        self._call = call
        self._loop = loop
        self._waiting: deque[bytes] = deque()
        self._telling: asyncio.Task[None] | None = None
        self._room = threading.Condition()
        self._closed = False

    def say(self, text: bytes) -> None:
        """Takes something from any thread; others than the loop's wait where much is unread.

        :raises RuntimeError: the worker has ended.
        """
        with self._room:
            if asyncio._get_running_loop() is not self._loop:
                self._room.wait_for(lambda: self._closed or len(self._waiting) < MOST_UNREAD)
            if self._closed:
                raise RuntimeError("the worker has ended: nothing is said for it any more")
            self._waiting.append(text)
            is_first = len(self._waiting) == 1
        if is_first:
            self._loop.call_soon_threadsafe(self._begin)

    def close(self) -> None:
        """Nobody listens any more."""
        with self._room:
            self._closed = True
            self._room.notify_all()

    async def all_told(self) -> None:
        """Waits until the worker has begun with all that was said."""
        while self._waiting or self._telling is not None:
            self._begin()
            assert self._telling is not None
            await asyncio.wait((self._telling,))

    def _begin(self) -> None:
        if self._telling is None:
            self._telling = self._loop.create_task(self._tell())

    async def _tell(self) -> None:
        try:
            while True:
                with self._room:
                    several = list(self._waiting)
                    self._waiting.clear()
                    self._room.notify_all()
                if not several:
                    return
                await self._call.emit(None, b"\n".join(several))
        finally:
            self._telling = None
