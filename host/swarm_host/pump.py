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

from swarm_host.ports.contract import Answer, Call, PortError, Ports
from swarm_host.vm import VM

SLICE_SECONDS = 0.004
"""How long the scheduler keeps the loop waiting in one tick."""


class Pump:
    """Drives one VM.

    :param vm: the VM.
    :param ports: who answers its requests.
    :param say: takes ``(out, log lines, event lines)`` of a tick.
    :ivar on_watches: called after each tick in which there is more to watch than was asked for.
    """

    def __init__(self, vm: VM, ports: Ports, say: Callable[[bytes, bytes, bytes], None]) -> None:
        self._ports = ports
        self._say = say
        self._step = vm.function("step")
        self._deliver = vm.function("deliver")
        self._emit = vm.function("emit")
        self._take_request = vm.function("take_request")
        self._take_cancels = vm.function("take_cancels")
        self._take_said = vm.function("take_said")
        self._take_settled = vm.function("take_settled")
        self._answers: list[tuple[int, bool, bytes | None, bytes | None]] = []
        self._emitted: list[tuple[int, bytes, bytes | None]] = []
        self._taken = anyio.Event()
        self._scopes: dict[int, anyio.CancelScope] = {}
        self._waits: dict[int, anyio.Event] = {}
        self._wake = anyio.Event()
        self._ticked: anyio.Event | None = None
        self._stopping = False
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
        """Ticks until :meth:`stop`; then cancels the requests that are under way."""
        async with anyio.create_task_group() as tasks:
            while not self._stopping:
                wait = self._tick(tasks)
                if wait == 0:
                    await checkpoint()
                    continue
                with anyio.move_on_after(wait):
                    await self._wake.wait()
            tasks.cancel_scope.cancel()
            self._taken.set()

    def _tick(self, tasks: TaskGroup) -> float | None:
        """One tick. Returns how long nobody is ready: 0 for not at all, None for no known end."""
        self._wake = anyio.Event()
        if self._emitted:
            emitted, self._emitted = self._emitted, []
            for event in emitted:
                self._emit(*event)
            self._taken.set()
            self._taken = anyio.Event()
        answers, self._answers = self._answers, []
        for answer in answers:
            self._deliver(*answer)
        more, wait, requests, says, settles, watches = self._step(SLICE_SECONDS)
        if requests:
            self._start(tasks)
        if says:
            self._say(*self._take_said())
        if settles:
            self._tell_settled()
        if watches and self.on_watches is not None:
            self.on_watches()
        if self._ticked is not None:
            self._ticked.set()
            self._ticked = None
        if more or self._answers:
            return 0
        return None if wait is None else max(wait, 0)

    def _start(self, tasks: TaskGroup) -> None:
        while (request := self._take_request()) is not None:
            number, port, payload, data = request
            scope = anyio.CancelScope()
            self._scopes[number] = scope
            call = Call(number, data, partial(self._take_event, number))
            tasks.start_soon(self._serve, scope, port.decode(), payload, call)
        cancels = self._take_cancels()
        for number in cancels if isinstance(cancels, tuple) else (cancels,):
            if number in self._scopes:
                self._scopes[number].cancel()

    async def _take_event(self, number: int, event: Any, data: bytes | None = None) -> None:
        """Hands one event of a port to Lua, in the next tick."""
        self._emitted.append((number, json.dumps(event).encode(), data))
        self._wake.set()
        if not self._stopping:
            await self._taken.wait()

    def _tell_settled(self) -> None:
        settled = self._take_settled()
        for worker in settled if isinstance(settled, tuple) else (settled,):
            event = self._waits.pop(worker, None)
            if event is not None:
                event.set()

    async def _serve(self, scope: anyio.CancelScope, name: str, payload: bytes, call: Call) -> None:
        """Runs a port for one request and leaves its answer, whatever it is, for the next tick."""
        error: dict[str, Any] = {"code": "cancelled", "message": "the request was cancelled"}
        answer: Answer | None = None
        with scope:
            try:
                answer = await self._ports.get(name)(json.loads(payload), call)
            except PortError as problem:
                error = {"code": problem.code, "message": problem.message, **problem.fields}
            except Exception as problem:  # a fault of the port: it goes to the worker that asked
                text = f"port {name} failed: {type(problem).__name__}: {problem}"
                error = {"code": "host_error", "message": text}
        del self._scopes[call.id]
        if answer is None:
            self._answers.append((call.id, False, json.dumps(error).encode(), None))
        else:
            value = None if answer.value is None else json.dumps(answer.value).encode()
            self._answers.append((call.id, True, value, answer.data))
        self._wake.set()
