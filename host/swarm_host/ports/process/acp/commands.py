"""The commands that an agent has the host run for it, which the protocol calls terminals.

Each is a child as any other is, asked for by the worker, whose gate has admitted it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import anyio
from acp import schema
from anyio.abc import TaskGroup

from swarm_host.ports.contract import Answer, Call, PortError

MOST = 64
"""Commands at a time, those that have ended and were not released among them."""

KEPT = 1024 * 1024
"""Bytes of output that are kept where the agent does not say how many, the last ones."""

MOST_KEPT = 4 * 1024 * 1024

Serve = Callable[[dict[str, Any], Call], Awaitable[Answer]]
"""Runs one child to its end."""


class Unknown(Exception):
    """There is no such command."""


class Command:
    """One command."""

    def __init__(self, kept: int) -> None:
        self._most = kept
        self.kept = bytearray()
        self._is_cut = False
        self._asked_to_end = anyio.Event()
        self.scope = anyio.CancelScope(shield=True)
        self.begun = anyio.Event()
        self.ended = anyio.Event()
        self.exit = schema.TerminalExitStatus()
        self.problem: PortError | None = None

    async def run(self, serve: Serve, payload: dict[str, Any], call: Call) -> None:
        """Runs it to its end."""

        def say(stream: str, data: bytes) -> None:
            self._keep(data)
            call.say(stream, data)

        own = Call(call.id, call.data, self._hear, self._receive, say)
        try:
            with self.scope:
                ended = (await serve(payload, own)).value
                self.exit = schema.TerminalExitStatus(
                    exit_code=ended.get("exit_code"), signal=ended.get("signal")
                )
        except PortError as problem:
            self.problem = problem
        finally:
            self.begun.set()
            self.ended.set()

    def kill(self) -> None:
        """Ends it; how it ended is known later."""
        self._asked_to_end.set()

    def output(self) -> schema.TerminalOutputResponse:
        """What it has written so far, and how it ended, if it has."""
        text = bytes(self.kept)
        if self._is_cut:  # within a character, maybe
            text = text.lstrip(bytes(range(0x80, 0xC0)))
        return schema.TerminalOutputResponse(
            output=text.decode(errors="replace"),
            truncated=self._is_cut,
            exit_status=self.exit if self.ended.is_set() else None,
        )

    async def _hear(self, event: Any, data: bytes | None = None) -> None:
        if "started" in event:
            self.begun.set()

    async def _receive(self) -> tuple[Any, bytes | None]:
        if not self._asked_to_end.is_set():
            await self._asked_to_end.wait()
            return {"final": True}, None  # it may not linger
        await anyio.sleep_forever()
        raise AssertionError

    def _keep(self, data: bytes) -> None:
        self.kept += data
        if len(self.kept) > self._most:
            del self.kept[: len(self.kept) - self._most]
            self._is_cut = True


class Commands:
    """The commands of one agent. They end with it.

    :param serve: runs a child.
    :param tasks: where they run.
    """

    def __init__(self, serve: Serve, tasks: TaskGroup) -> None:
        self._serve, self._tasks = serve, tasks
        self._commands: dict[str, Command] = {}
        self._count = 0

    async def create(self, payload: dict[str, Any], call: Call, kept: int | None) -> str:
        """Starts one.

        :param payload: as the port takes it of a worker.
        :param call: who asks, with the texts that came beside it.
        :param kept: bytes of output to keep.
        :return: its id.
        :raises PortError: it did not start.
        """
        if len(self._commands) >= MOST:
            raise PortError("process_failed", f"{MOST} terminals are open: release some")
        self._count += 1
        number = f"terminal-{self._count}"
        command = Command(min(KEPT if kept is None else kept, MOST_KEPT))
        self._commands[number] = command
        self._tasks.start_soon(command.run, self._serve, payload, call)
        await command.begun.wait()
        if command.problem is not None:
            self._commands.pop(number, None)  # it may have been released meanwhile, unasked
            raise command.problem
        return number

    def get(self, number: str) -> Command:
        """The command of an id.

        :raises Unknown:
        """
        try:
            return self._commands[number]
        except KeyError:
            raise Unknown from None

    def release(self, number: str) -> None:
        """Ends one, and forgets it.

        :raises Unknown:
        """
        self.get(number).scope.cancel()
        del self._commands[number]

    def end(self) -> None:
        """Ends all of them; who runs their tasks waits for that."""
        for command in self._commands.values():
            command.scope.cancel()
