"""A conversation with an agent: stands between a worker and the process that it talks to.

To the process it is who asks, to the worker it is the process: lines go both ways as they do for
any child that is fed. Each is checked on its way, against the protocol's models and against what
was asked; what breaks the protocol ends the child. Of the agent's requests it answers those of
terminals that there are; all others are the worker's to answer, whose gate they pass.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import anyio
from acp import schema
from acp.exceptions import RequestError
from anyio import to_thread
from anyio.lowlevel import checkpoint
from pydantic_core import from_json

from swarm_host.ports.contract import Answer, Call, PortError
from swarm_host.ports.process.acp import messages
from swarm_host.ports.process.acp.calls import Calls
from swarm_host.ports.process.acp.commands import Commands, Serve, Unknown
from swarm_host.ports.process.acp.messages import ASKED, OWED, Broken, Id, Message
from swarm_host.ports.process.acp.outbox import Outbox
from swarm_host.version import __version__

LONG = 100_000
"""Bytes of a line from which on it is read in a thread, so that other workers go on meanwhile."""

MANY = 16
"""Lines that are read before others get a turn: it takes about a millisecond."""

MOST_OWED = 1000
"""Requests of an agent that are not answered yet."""

PROMPT, PERMISSION, CREATE = "session/prompt", "session/request_permission", "terminal/create"
CANCELLED = {"code": -32603, "message": "the host has cancelled this turn"}
OUT = {"out": True}


@dataclass(frozen=True, slots=True)
class Owed:
    """A request of the agent that is not answered yet.

    :ivar id: as the agent has it: it may be any, and longer than a number of Lua's.
    """

    id: Id
    method: str


class Conversation:
    """One agent's process, from its start to its end.

    The worker tells ``{"input": true}`` with a line to the agent; ``{"command": id}`` with the
    ``order`` for a terminal that the agent has asked for, and its texts; ``{"close": true}`` and
    ``{"final": true}`` as to any child.

    :param serve: runs a child.
    :param call: the worker's.
    :param payload: the worker's, with ``acp``: ``start``, seconds for all but a prompt,
        and ``idle``.
    """

    def __init__(self, serve: Serve, call: Call, payload: dict[str, Any]) -> None:
        self._serve, self._call, self._payload = serve, call, payload
        self._start, self._idle = payload["acp"]["start"], payload["acp"].get("idle")
        self._asked: dict[Id, str] = {}  # of the agent, by ids: the methods
        self._owed: dict[int, Owed] = {}  # to it, by numbers of ours
        self._requests = 0  # of the agent's
        self._session: str | None = None  # that of the prompt
        self._moved = time.monotonic()
        self._parting = False
        self._outbox = Outbox()
        self._calls = Calls()
        self._prompted = anyio.Event()  # is set where no prompt is under way
        self._prompted.set()
        self._process = anyio.CancelScope(shield=True)
        self._over = anyio.Event()
        self._answer: Answer | None = None
        self._problem: Exception | None = None

    async def run(self) -> Answer:
        """Runs the agent to its end, as a child is run.

        :raises PortError: as of any child; ``agent_failed`` where it breaks the protocol,
            ``idle_timeout``.
        """
        async with anyio.create_task_group() as tasks:
            self._tasks, self._commands = tasks, Commands(self._serve, tasks)
            tasks.start_soon(self._run_process)
            tasks.start_soon(self._listen)
            if self._idle:
                tasks.start_soon(self._guard_idle, self._idle)
            try:
                await self._over.wait()
            finally:
                with anyio.CancelScope(shield=True):
                    if not self._over.is_set():
                        await self._part()
                        self._process.cancel()
                        await self._over.wait()
                self._commands.end()
            tasks.cancel_scope.cancel()
        if self._problem is not None:
            raise self._problem
        assert self._answer is not None
        return self._answer

    async def _run_process(self) -> None:
        payload = {**self._payload, "tells_silence": True}
        del payload["acp"]
        call = Call(self._call.id, self._call.data, self._hear, self._outbox.receive, self._say)
        try:
            with self._process:
                self._answer = await self._serve(payload, call)
        except Exception as problem:
            self._problem = self._problem or problem
        finally:
            self._prompted.set()
            self._over.set()

    async def _part(self) -> None:
        """Asks the agent to end its turn, and waits as long as for any step of the kill ladder."""
        self._parting = True
        for number, owed in list(self._owed.items()):
            self._refuse_in_parting(number, owed.method)
        if self._session is not None and not self._prompted.is_set():
            params = messages.dumped(schema.CancelNotification(session_id=self._session))
            self._send({"method": "session/cancel", "params": params})
            with anyio.move_on_after(self._payload["kill_after"]):
                await self._prompted.wait()

    def _end(self, problem: PortError) -> None:
        """Ends the agent's process, for this reason."""
        self._problem = self._problem or problem
        self._process.cancel()

    def _break(self, why: str, line: bytes = b"") -> None:
        reason = f"it broke the protocol: {why}"
        if line:
            reason += f"; it sent: {messages.shown(line)}"
        message = f"{self._payload['who']}: {reason}"
        self._end(PortError("agent_failed", message, reason=reason))

    # What takes too long. --------------------------------------------------------------------

    async def _bound(self, number: Id, method: str) -> None:
        await anyio.sleep(self._start)
        if number in self._asked:
            self._break(f"it did not answer {method} within {self._start:g} s")

    async def _outlive(self) -> None:
        """Ends an agent that has closed its output, and can answer no more."""
        await anyio.sleep(self._payload["kill_after"])
        if self._asked:
            self._break("it closed its standard output, and runs on")

    async def _guard_idle(self, seconds: float) -> None:
        """Ends an agent that is silent while it works on a prompt, and nothing is owed to it."""
        while True:
            if self._prompted.is_set() or self._owed_by_worker():
                self._moved = time.monotonic()
            left = self._moved + seconds - time.monotonic()
            if left <= 0:
                message = f"{self._payload['who']}: the agent said nothing for {seconds:g} s (idle)"
                self._end(PortError("idle_timeout", message, seconds=seconds))
                return
            await anyio.sleep(left)

    def _owed_by_worker(self) -> bool:
        return any(owed.method not in self._own for owed in self._owed.values())

    # To the agent. ---------------------------------------------------------------------------

    def _send(self, message: Message) -> None:
        self._outbox.send(messages.written(message))

    def _reply(self, number: int, result: Any) -> None:
        self._settle(number, {"result": result})

    def _refuse(self, number: int, error: Message) -> None:
        self._settle(number, {"error": error})

    def _settle(self, number: int, answer: Message) -> None:
        """Answers a request of the agent, once."""
        owed = self._owed.pop(number, None)
        if owed is not None:
            self._moved = time.monotonic()
            self._send({"id": owed.id, **answer})

    def _refuse_in_parting(self, number: int, method: str) -> None:
        if method == PERMISSION:
            self._reply(number, {"outcome": {"outcome": "cancelled"}})
        elif method not in self._own:
            self._refuse(number, CANCELLED)

    async def _listen(self) -> None:
        """Takes what the worker tells."""
        while True:
            told, data = await self._call.receive()
            if "command" in told:
                self._tasks.start_soon(self._create, told, data)
            elif "input" in told:
                self._pass_on(from_json(data or b""))
            else:
                self._outbox.put(told, data)

    def _pass_on(self, message: Message) -> None:
        """Sends what the worker says to the agent."""
        number, method = message["id"], message.get("method")
        if method is None:
            owed = self._owed.get(number)
            if owed is None:
                return  # it was answered in parting
            if "error" in message:
                self._refuse(number, message["error"])
            else:
                model = OWED[owed.method][1]
                self._reply(number, messages.checked(model, message["result"], "answer"))
            return
        params = message["params"]
        if "cwd" in params:
            params["cwd"] = str(Path(params["cwd"]).absolute())
        if method == "initialize":
            params["clientInfo"] = {"name": "swarm-host", "version": __version__}
        params = messages.checked(ASKED[method][0], params, method)
        self._asked[number] = method
        self._moved = time.monotonic()
        if method == PROMPT:
            self._session, self._prompted = params["sessionId"], anyio.Event()
        else:
            self._tasks.start_soon(self._bound, number, method)
        self._send({"id": number, "method": method, "params": params})

    # From the agent. -------------------------------------------------------------------------

    def _say(self, stream: str, data: bytes) -> None:
        self._moved = time.monotonic()
        self._call.say(stream, data)

    async def _hear(self, event: Any, data: bytes | None = None) -> None:
        """Takes what the process emits."""
        if "silent" in event:
            self._tasks.start_soon(self._outlive)
        elif "out" in event:
            await self._hear_lines(data or b"")
        elif "took" in event:
            self._outbox.took()
        else:
            await self._call.emit(event, data)

    async def _hear_lines(self, data: bytes) -> None:
        lines = []
        for index, line in enumerate(data.split(b"\n")):
            if index % MANY == MANY - 1:
                await checkpoint()
            if self._problem is None and line.strip():
                try:
                    if unread := await self._outbox.until_read(self._start):
                        raise Broken(f"it does not read what it is told: {unread} bytes by now")
                    message = await self._take(line)
                except Broken as problem:
                    self._break(str(problem), line)
                    break
                if message is None:
                    continue
                lines.append(messages.written(message))
                if "method" in message and "id" in message:  # its answer may be long
                    await self._call.emit(OUT, b"".join(lines))
                    lines = []
        if lines:
            await self._call.emit(OUT, b"".join(lines))

    async def _take(self, line: bytes) -> Message | None:
        """What the worker is told of a line.

        :raises Broken: it breaks the protocol.
        """
        message = await _here(line, messages.read, line)
        method, number = message.get("method"), message.get("id")
        if method is None:
            return await self._take_answer(line, message, number)
        if number is not None:
            return await self._take_request(line, method, number, message.get("params"))
        if method != "session/update":
            return {"skipped": method}
        params = message.get("params")
        params, kind = await _here(line, messages.checked_update, params, self._calls)
        if params is None:
            return {"skipped": f"session/update {kind}"}
        return {"method": method, "params": params}

    async def _take_answer(self, line: bytes, message: Message, number: Any) -> Message:
        asked = self._asked.pop(number, None)
        if asked is None:
            raise Broken(f"it answered {number!r}, which nobody has asked, or twice")
        if asked == PROMPT:
            self._prompted.set()
        if "error" in message:
            return {"id": number, "error": messages.checked_error(message["error"], asked)}
        what = f"answer to {asked}"
        result = await _here(line, messages.checked, ASKED[asked][1], message["result"], what)
        return {"id": number, "result": result}

    async def _take_request(
        self, line: bytes, method: str, asked: Id, params: Any
    ) -> Message | None:
        if any(owed.id == asked for owed in self._owed.values()):
            raise Broken(f"it asked twice under the id {asked!r}")
        if len(self._owed) >= MOST_OWED:
            raise Broken(f"it has {MOST_OWED} requests that are not answered yet")
        self._requests += 1
        number = self._requests
        self._owed[number] = Owed(asked, method)
        if method not in OWED:
            self._refuse(number, RequestError.method_not_found(method).to_error_obj())
            return {"skipped": method}
        params = await _here(line, messages.checked_request, method, params, self._calls)
        answer = self._own.get(method)
        if answer is not None:
            try:
                await answer(self, number, params["terminalId"])
            except Unknown:
                self._refuse(number, RequestError.resource_not_found().to_error_obj())
            return None
        if self._parting:
            self._refuse_in_parting(number, method)
            return None
        return {"id": number, "method": method, "params": params}

    # Its terminals. --------------------------------------------------------------------------

    async def _create(self, told: Any, texts: bytes | None) -> None:
        number = told["command"]
        call = Call(self._call.id, texts, say=self._say)
        try:
            found = await self._commands.create(told["order"], call, told.get("kept"))
        except PortError as problem:
            failed = {"code": problem.code, "message": problem.message, **problem.fields}
            await self._call.emit(OUT, messages.written({"id": number, "failed": failed}))
            return
        response = schema.CreateTerminalResponse(terminal_id=found)
        self._reply(number, messages.dumped(response))

    async def _output(self, number: int, terminal: str) -> None:
        command = self._commands.get(terminal)
        answer = {"id": self._owed[number].id}

        def written() -> bytes:
            return messages.written({**answer, "result": messages.dumped(command.output())})

        line = await _here(command.kept, written)
        if self._owed.pop(number, None) is not None:
            self._moved = time.monotonic()
            self._outbox.send(line)

    async def _wait_for_exit(self, number: int, terminal: str) -> None:
        command = self._commands.get(terminal)

        async def wait() -> None:
            await command.ended.wait()
            self._reply(number, messages.dumped(command.exit))

        self._tasks.start_soon(wait)

    async def _kill(self, number: int, terminal: str) -> None:
        self._commands.get(terminal).kill()
        self._reply(number, {})

    async def _release(self, number: int, terminal: str) -> None:
        self._commands.release(terminal)
        self._reply(number, {})

    _own: ClassVar[dict[str, Callable[[Conversation, int, str], Awaitable[None]]]] = {
        "terminal/output": _output,
        "terminal/wait_for_exit": _wait_for_exit,
        "terminal/kill": _kill,
        "terminal/release": _release,
    }
    """What is answered here."""


async def _here(line: bytes | bytearray, do: Callable[..., Any], *arguments: Any) -> Any:
    """Does something with what a line holds; in a thread, where that takes long."""
    if len(line) < LONG:
        return do(*arguments)
    return await to_thread.run_sync(do, *arguments)
