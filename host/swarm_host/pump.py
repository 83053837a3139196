"""Turns the scheduler in Lua and the event loop into one.

A tick: deliver what has completed, let the scheduler run for a slice, start the requests that it
left, hand on what was said. Where nobody is ready the pump waits for the first of a completion, the
nearest timer or a call from outside.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import anyio
from anyio.abc import TaskGroup
from anyio.lowlevel import checkpoint

from swarm_host.ports.contract import Call, PortError
from swarm_host.ports.registry import Ports
from swarm_host.vm.kernel import Kernel, Request, Said

SLICE_SECONDS = 0.004
"""How long the scheduler keeps the loop waiting in one tick."""


class Pump:
    """Drives one VM.

    :param kernel: the VM's side.
    :param ports: who answers its requests.
    :param say: takes what was said in a tick.
    :ivar is_over: it does not tick any more, and nothing comes to an end.
    :ivar on_watches: called after each tick in which there is more to watch than was asked for.
    """

    def __init__(self, kernel: Kernel, ports: Ports, say: Callable[[Said], None]) -> None:
        self._kernel = kernel
        self._ports = ports
        self._say = say
        self._answers: list[tuple[int, bool, bytes | None, bytes | None]] = []
        self._emitted: list[tuple[int, bytes, bytes | None]] = []
        self._taken = anyio.Event()
        self._scopes: dict[int, anyio.CancelScope] = {}
        self._waits: dict[int, anyio.Event] = {}
        self._wake = anyio.Event()
        self._ticked: anyio.Event | None = None
        self._stopping = False
        self.is_over = False
        self.on_watches: Callable[[], None] | None = None

    def poke(self) -> None:
        """Something was changed from outside: tick again."""
        self._wake.set()

    def stop(self) -> None:
        """Ends :meth:`run` after the tick under way."""
        self._stopping = True
        self._wake.set()

    def settled(self, worker: int) -> anyio.Event:
        """An event that is set once the worker has settled."""
        return self._waits.setdefault(worker, anyio.Event())

    def next_tick(self) -> anyio.Event:
        """An event that is set at the end of the next tick."""
        if self._ticked is None:
            self._ticked = anyio.Event()
        return self._ticked

    async def run(self) -> None:
        """Ticks until :meth:`stop`; then cancels the requests that are under way.

        :raises OutOfMemory: Lua cannot go on.
        """
        problem: Exception | None = None
        async with anyio.create_task_group() as tasks:
            while not self._stopping:
                try:
                    wait = self._tick(tasks)
                except Exception as raised:
                    problem = raised
                    break
                if wait == 0:
                    await checkpoint()
                    continue
                with anyio.move_on_after(wait):
                    await self._wake.wait()
            self._stopping = self.is_over = True
            tasks.cancel_scope.cancel()
            self._taken.set()
        if problem is not None:
            raise problem

    def _tick(self, tasks: TaskGroup) -> float | None:
        """One tick. Returns how long nobody is ready: 0 for not at all, None for no known end."""
        self._wake = anyio.Event()
        if self._emitted:
            emitted, self._emitted = self._emitted, []
            for event in emitted:
                self._kernel.emit(*event)
            self._taken.set()
            self._taken = anyio.Event()
        answers, self._answers = self._answers, []
        for answer in answers:
            self._kernel.deliver(*answer)
        step = self._kernel.step(SLICE_SECONDS)
        if step.requests:
            self._start(tasks)
        if step.says:
            self._say(self._kernel.take_said())
        if step.settles:
            self._tell_settled()
        if step.watches and self.on_watches is not None:
            self.on_watches()
        if self._ticked is not None:
            self._ticked.set()
            self._ticked = None
        if step.more or self._answers:
            return 0
        return None if step.wait is None else max(step.wait, 0)

    def _start(self, tasks: TaskGroup) -> None:
        while (request := self._kernel.take_request()) is not None:
            scope = self._scopes[request.id] = anyio.CancelScope()
            tasks.start_soon(self._serve, scope, request)
        for number in self._kernel.take_cancels():
            if number in self._scopes:
                self._scopes[number].cancel()

    async def _take_event(self, number: int, event: Any, data: bytes | None = None) -> None:
        """Hands one event of a port to Lua, in the next tick. Who asked takes it when it can."""
        self._emitted.append((number, json.dumps(event).encode(), data))
        self._wake.set()
        if not self._stopping:
            await self._taken.wait()

    def _tell_settled(self) -> None:
        for worker in self._kernel.take_settled():
            event = self._waits.pop(worker, None)
            if event is not None:
                event.set()

    async def _serve(self, scope: anyio.CancelScope, request: Request) -> None:
        """Runs a port for one request and leaves its answer, whatever it is, for the next tick."""
        error: dict[str, Any] = {"code": "cancelled", "message": "the request was cancelled"}
        answer: tuple[bytes | None, bytes | None] | None = None
        call = Call(request.id, request.data, partial(self._take_event, request.id))
        with scope:
            try:
                answered = await self._ports.get(request.port)(request.payload, call)
                value = None if answered.value is None else json.dumps(answered.value).encode()
                answer = value, answered.data
            except PortError as problem:
                error = {"code": problem.code, "message": problem.message, **problem.fields}
            except Exception as problem:  # a fault of the port: it goes to the worker that asked
                text = f"port {request.port} failed: {type(problem).__name__}: {problem}"
                error = {"code": "host_error", "message": text}
        del self._scopes[request.id]
        if answer is None:
            self._answers.append((request.id, False, json.dumps(error).encode(), None))
        else:
            self._answers.append((request.id, True, *answer))
        self._wake.set()
