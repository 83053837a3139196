"""Turns the scheduler in Lua and the event loop into one.

A tick: deliver what has completed, let the scheduler run for a slice, start the requests that it
left, hand on what was said. Where nobody is ready the pump waits for the first of a completion, the
nearest timer or a call from outside.
"""

from __future__ import annotations

import json
import logging
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio
from anyio.abc import TaskGroup
from anyio.lowlevel import checkpoint

from swarm_host.ports.contract import Answer, Call, PortError
from swarm_host.ports.registry import Ports
from swarm_host.vm.kernel import Kernel
from swarm_host.vm.steps import Request, Said, Step

if TYPE_CHECKING:
    from swarm_host.audit.audits import Audits
    from swarm_host.journal.recorder import Recorder

SLICE_SECONDS = 0.004
"""How long the scheduler keeps the loop waiting in one tick."""


HELD_SECONDS = 0.25
"""How long nobody is to have anything to do before a run that only computes is written down."""

Show = Callable[[int, str, bytes], None]
"""Takes text that a port says for people: the number of a task, ``out`` or ``err``, and bytes."""


class Pump:
    """Drives one VM.

    :param kernel: the VM's side.
    :param ports: who answers its requests.
    :param say: takes what was said in a tick.
    :param show: takes what ports say for people, each with its worker's task.
    :param journal: what is to be written down before anything outside begins.
    :param audits: the same.
    :ivar is_over: it does not tick any more, and nothing comes to an end.
    :ivar on_asked: called after each tick in which a question was opened or closed.
    :ivar on_watches: called after each tick in which there is more to watch than was asked for.
    """

    def __init__(
        self,
        kernel: Kernel,
        ports: Ports,
        say: Callable[[Said], None],
        show: Show | None = None,
        journal: Recorder | None = None,
        audits: Audits | None = None,
    ) -> None:
        self._kernel = kernel
        self._ports = ports
        self._say = say
        self._show = show
        self._journal = journal
        self._audits = audits
        self._answers: list[tuple[int, bool, bytes | None, Sequence[bytes | bytearray]]] = []
        self._emitted: list[tuple[int, bytes, bytes | None]] = []
        self._served: dict[int, _Served] = {}
        self._waits: dict[int, anyio.Event] = {}
        self._wake = anyio.Event()
        self._ticked: anyio.Event | None = None
        self._stopping = False
        self.is_over = False
        self.on_asked: Callable[[], object] | None = None
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

    def last_said(self, request: int) -> bytes:
        """What a port has said last of a request that it serves."""
        served = self._served.get(request)
        return b"" if served is None else served.said

    async def run(self) -> None:
        """Ticks until :meth:`stop`; then cancels the requests that are under way.

        :raises OutOfMemory: Lua cannot go on.
        """
        problem: Exception | None = None
        async with anyio.create_task_group() as tasks:
            while not self._stopping:
                try:
                    wait = await self._tick(tasks)
                except Exception as raised:
                    problem = raised
                    break
                if wait == 0:
                    await checkpoint()
                    continue
                held = self._journal is not None and self._journal.holds
                with anyio.move_on_after(_first_of(wait, HELD_SECONDS if held else None)) as waited:
                    await self._wake.wait()
                if waited.cancelled_caught and self._journal is not None:
                    self._journal.rest()
            self._stopping = self.is_over = True
            tasks.cancel_scope.cancel()
            self._tell_ticked()
            for served in self._served.values():
                served.has_read()  # nobody reads any more
        if problem is not None:
            raise problem

    async def _tick(self, tasks: TaskGroup) -> float | None:
        """One tick. Returns how long nobody is ready: 0 for not at all, None for no known end."""
        self._wake = anyio.Event()
        if self._emitted:
            emitted, self._emitted = self._emitted, []
            for event in emitted:
                self._kernel.emit(*event)
        answers, self._answers = self._answers, []
        for answer in answers:
            self._kernel.deliver(*answer)
        step = self._kernel.step(SLICE_SECONDS)
        if self._audits is not None and step.audits:
            self._audits.keep(*self._kernel.take_audit())
        if self._journal is not None:
            await self._write_down(self._journal, step)
        if self._audits is not None:
            tells = step.requests or step.urgent or step.asks
            await (self._audits.written() if tells else self._audits.keep_pace())
        if step.requests:
            self._start(tasks)
        if step.says:
            self._say(self._kernel.take_said())
        if step.settles:
            self._tell_settled()
        if step.watches and self.on_watches is not None:
            self.on_watches()
        if step.asks:
            self._tell_asked()
        self._tell_ticked()
        if step.more or self._answers:
            return 0
        return None if step.wait is None else max(step.wait, 0)

    async def _write_down(self, journal: Recorder, step: Step) -> None:
        """What comes of a step is known before it is done."""
        if step.keeps:
            journal.keep_rows(*self._kernel.take_journal())
        if step.requests or step.urgent:
            await journal.durable()
        await journal.keep_pace()

    def _start(self, tasks: TaskGroup) -> None:
        """Hands on what there is for ports."""
        while (request := self._kernel.take_request()) is not None:
            served = self._served[request.id] = _Served(request.task, self._show)
            tasks.start_soon(self._serve, served, request)
            if request.last:
                return
        while (told := self._kernel.take_told()) is not None:
            number, message, data = told
            if number in self._served:
                self._served[number].tell((message, data))
        for number in self._kernel.take_read():
            if number in self._served:
                self._served[number].has_read()
        for number in self._kernel.take_cancels():
            if number in self._served:
                self._served[number].scope.cancel()

    async def _emit(self, number: int, event: Any, data: bytes | None = None) -> None:
        """Hands one event of a port to Lua in the next tick, once those before it are read."""
        served = self._served[number]
        if served.unread is not None and not self._stopping:
            await served.unread.wait()
        if served.unread is None:
            served.unread = anyio.Event()
        self._emitted.append((number, json.dumps(event).encode(), data))
        self._wake.set()

    def _tell_asked(self) -> None:
        if self.on_asked is not None:
            try:
                self.on_asked()
            except Exception:  # the application's own: the run goes on
                logging.getLogger("swarm_host").exception("the function of on_asked failed")

    def _tell_ticked(self) -> None:
        if self._ticked is not None:
            self._ticked.set()
            self._ticked = None

    def _tell_settled(self) -> None:
        for worker in self._kernel.take_settled():
            event = self._waits.pop(worker, None)
            if event is not None:
                event.set()

    async def _ask(self, request: Request, call: Call) -> Answer:
        """Runs a port; where the payload is ``noted``, the answer, or the refusal, has a digest."""
        port = self._ports.get(request.port)
        if not request.payload.pop("noted", False):
            return await port(request.payload, call)
        from swarm_host.ports.noting import digest_of

        try:
            answer = await port(request.payload, call)
        except PortError as problem:
            problem.fields["digest"] = await digest_of(problem)
            raise
        return Answer({"value": answer.value, "digest": await digest_of(answer)}, answer.data)

    async def _serve(self, served: _Served, request: Request) -> None:
        """Runs a port for one request and leaves its answer, whatever it is, for the next tick."""
        error: dict[str, Any] = {"code": "cancelled", "message": "the request was cancelled"}
        answer: tuple[bytes | None, Sequence[bytes | bytearray]] | None = None
        call = Call(
            request.id, request.data, partial(self._emit, request.id), served.receive, served.say
        )
        with served.scope:
            try:
                answered = await self._ask(request, call)
                value = None if answered.value is None else json.dumps(answered.value).encode()
                data = answered.data
                answer = value, data if isinstance(data, tuple) else () if data is None else (data,)
            except PortError as problem:
                error = {"code": problem.code, "message": problem.message, **problem.fields}
            except Exception as problem:  # a fault of the port: it goes to the worker that asked
                text = f"port {request.port} failed: {type(problem).__name__}: {problem}"
                error = {"code": "host_error", "message": text}
        del self._served[request.id]
        if answer is None:
            self._answers.append((request.id, False, json.dumps(error).encode(), ()))
        else:
            self._answers.append((request.id, True, *answer))
        self._wake.set()


def _first_of(one: float | None, other: float | None) -> float | None:
    """The shorter of two times; None: no end."""
    return other if one is None else one if other is None else min(one, other)


class _Served:
    """A request that a port serves.

    :ivar scope: is cancelled with the request.
    :ivar unread: is set once the caller has read all that was emitted; None: it has.
    :ivar said: what it said last, for people.
    """

    def __init__(self, task: int | None, show: Show | None) -> None:
        self._task, self._show = task, show
        self.scope = anyio.CancelScope()
        self.unread: anyio.Event | None = None
        self.said = b""
        self._told: deque[tuple[Any, bytes | None]] = deque()
        self._is_told: anyio.Event | None = None  # of a port that waits for that

    def has_read(self) -> None:
        """The caller has read all that was emitted."""
        unread, self.unread = self.unread, None
        if unread is not None:
            unread.set()

    def tell(self, one: tuple[Any, bytes | None]) -> None:
        """Keeps what the caller tells until the port receives it."""
        self._told.append(one)
        if self._is_told is not None:
            self._is_told.set()

    def say(self, stream: str, data: bytes) -> None:
        """Keeps what the port says for people."""
        if stream != "items":
            self.said = data
        if self._show is not None and self._task is not None:
            self._show(self._task, "err" if stream == "err" else "out", data)

    async def receive(self) -> tuple[Any, bytes | None]:
        """The next thing that the caller tells."""
        while not self._told:
            self._is_told = anyio.Event()
            await self._is_told.wait()
        return self._told.popleft()
