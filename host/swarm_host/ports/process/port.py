"""Port ``process``: runs one child from its start to its end, for process workers and exec."""

from __future__ import annotations

import math
import os
import resource
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
from anyio import to_thread

from swarm_host.errors import words_of
from swarm_host.ports.contract import Answer, Call, PortError
from swarm_host.ports.process import children, programs
from swarm_host.ports.process.order import Order
from swarm_host.ports.process.run import Run, Unstarted
from swarm_host.ports.process.terminals import NoTerminal
from swarm_host.ports.secrets import Mask, reveal
from swarm_host.ports.writing import put

if TYPE_CHECKING:
    from swarm_host.ports.process.acp.conversation import Conversation

DESCRIPTORS_KEPT = 256
DESCRIPTORS_EACH = 8
"""Descriptors that the rest of the host needs, and that one child takes while it starts."""


class Process:
    """Answers with how the child ended and what it wrote, or with a file that its output is in."""

    def __init__(self) -> None:
        self._turns: anyio.CapacityLimiter | None = None
        self._folder: str | None = None
        self._children = children.Children()

    async def aclose(self) -> None:
        """Ends what all children have left behind, now that none is asked for any more."""
        await self._children.aclose()

    async def __call__(self, payload: dict[str, Any], call: Call) -> Answer:
        """Runs one child; whatever happens, none of its group is left.

        :raises PortError: ``process_failed`` where it does not start or says too much,
            ``role_violation`` where the bounds do not admit it, ``timeout``.
        """
        if self._turns is None:
            most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
            room = math.inf if most == resource.RLIM_INFINITY else most - DESCRIPTORS_KEPT
            self._turns = anyio.CapacityLimiter(max(4, room // DESCRIPTORS_EACH))
        if payload.get("at_once"):  # those that have a turn may wait for it
            return await self._serve(payload, call)
        try:
            self._turns.acquire_nowait()  # the other yields to the loop, also where there is room
        except anyio.WouldBlock:
            await self._turns.acquire()
        try:
            return await self._serve(payload, call)
        finally:
            self._turns.release()

    async def _serve(self, payload: dict[str, Any], call: Call) -> Answer:
        if "acp" in payload:
            try:
                conversation = await to_thread.run_sync(_conversation)
            except ImportError:
                text = "an agent over ACP needs an extra: pip install 'swarm-host[acp]'"
                raise PortError("host_error", f"{payload['who']}: {text}") from None
            return await conversation(self._serve, call, payload).run()
        order = Order.read(payload, call.data or b"")
        if order.prompt is None:
            return await self._run(order, call)
        with _prompt_file(order.prompt, order.who) as path:
            order.with_prompt_file(os.fsencode(path))
            return await self._run(order, call)

    async def _run(self, order: Order, call: Call) -> Answer:
        secrets = {
            os.fsencode(name): reveal(secret, order.who)
            for name, secret in order.payload["secrets"].items()
        }
        file = self._output_file(order.who) if order.payload["to_file"] else None
        try:
            return await self._run_child(order, secrets, call, file)
        except BaseException:
            if file is not None:
                _discard(file)  # nobody is told its name
            raise

    async def _run_child(
        self, order: Order, secrets: dict[bytes, bytes], call: Call, file: FileIO | None
    ) -> Answer:
        start = _Start(order, secrets)
        child = await start.begin(self._children)
        try:
            hidden = [*secrets.values(), *filter(None, [order.payload.get("hides", "").encode()])]
            run = Run(child, order, call, Mask(hidden), file)
            return await run.to_the_end()
        except Unstarted as unstarted:
            raise start.failure(unstarted.problem) from None
        finally:
            # Nothing on the way here may leave it behind; most often it has ended long since.
            child.kill()
            child.close()

    def _output_file(self, who: str) -> FileIO:
        """A new file; it is the result, so nobody removes it."""
        try:
            try:
                return self._new_file()
            except FileNotFoundError:
                self._folder = None  # somebody has cleaned up
                return self._new_file()
        except OSError as problem:
            folder = self._folder or tempfile.gettempdir()
            raise _no_room(who, "no file for its output", folder, problem) from None

    def _new_file(self) -> FileIO:
        if self._folder is None:
            self._folder = tempfile.mkdtemp(prefix="swarm-output-")
        number, path = tempfile.mkstemp(dir=self._folder)
        os.close(number)
        return FileIO(path, "wb")  # without a buffer: what does not fit is known at once


def _conversation() -> type[Conversation]:
    """Its models take some tenths of a second to import, the first time."""
    from swarm_host.ports.process.acp.conversation import Conversation

    return Conversation


def _no_room(who: str, what: str, path: str, problem: OSError) -> PortError:
    """What is raised where a file that the host makes for a child cannot be written."""
    why = words_of(problem)
    return PortError("process_failed", f"{who}: {what} in {path}: {why}", path=path)


@contextmanager
def _prompt_file(prompt: bytes, who: str) -> Iterator[str]:
    """A file with the prompt, for as long as the block lasts."""
    path = tempfile.gettempdir()
    try:
        number, path = tempfile.mkstemp(prefix="swarm-prompt-")
        try:
            put(number, prompt)
        finally:
            os.close(number)
    except OSError as problem:
        with suppress(OSError):
            Path(path).unlink()
        raise _no_room(who, "no file for its prompt", path, problem) from None
    try:
        yield path
    finally:
        with suppress(FileNotFoundError):  # the child may have removed it
            Path(path).unlink()


def _discard(file: FileIO) -> None:
    file.close()
    with suppress(OSError):
        Path(os.fsdecode(file.name)).unlink()


class _Start:
    """The start of a child, as it was asked for.

    :param secrets: variables besides those of the order.
    :raises PortError: ``process_failed``: there is no such program or folder; ``role_violation``.
    """

    def __init__(self, order: Order, secrets: dict[bytes, bytes]) -> None:
        payload, arguments = order.payload, order.arguments
        if order.folder is not None:
            programs.check_folder(order.folder, order.who)
        program = programs.find(arguments[0], order.folder, order.who)
        if payload.get("bounds"):
            arguments = programs.bounded(program, arguments, payload["bounds"], order.who)
            programs.check_variables((*order.env, *secrets), payload["bounds"])
        inherit = payload["inherit"] if payload["inherits"] else None
        self._order, self._program, self._arguments = order, program, arguments
        self._variables = programs.environment({**order.env, **secrets}, inherit)

    async def begin(self, starter: children.Children) -> children.Child:
        """Has it started.

        :raises PortError: ``process_failed``.
        """
        order, payload = self._order, self._order.payload
        terminal = payload.get("terminal")
        try:
            return await starter.start(
                self._arguments,
                program=self._program,
                environment=self._variables,
                folder=order.folder,
                has_input=order.input is not None or bool(payload.get("feeds")),
                limits=payload.get("limits"),
                terminal=(terminal["rows"], terminal["cols"]) if terminal else None,
            )
        except OSError as problem:
            raise self.failure(problem) from None

    def failure(self, problem: OSError) -> PortError:
        """What is raised where the system could not start it."""
        order, arguments = self._order, self._arguments
        if isinstance(problem, NoTerminal) and problem.errno not in programs.TOO_MANY:
            why = (
                f"the system has no terminal for it (pty): {words_of(problem)}; mount devpts, "
                "which has /dev/ptmx, or run it without pty"
            )
        else:
            why = programs.reason(problem, self._program, arguments, self._variables, order.folder)
        name = programs.shown(arguments[0])
        return PortError("process_failed", f"{order.who}: {name} did not start: {why}")
