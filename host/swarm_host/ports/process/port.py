"""Port ``process``: runs one child from its start to its end, for process workers and exec."""

from __future__ import annotations

import math
import os
import resource
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import Any

import anyio

from swarm_host.errors import words_of
from swarm_host.ports.contract import Answer, Call, PortError
from swarm_host.ports.process import children, programs
from swarm_host.ports.process.pipes import Pipes
from swarm_host.ports.secrets import Mask, reveal
from swarm_host.ports.writing import put

STDERR_KEPT = 1024 * 1024
"""Bytes of a child's standard error that are kept, the last ones."""
STDERR_IN_ERRORS = 4096
"""Bytes of it that an error shows."""

DESCRIPTORS_KEPT = 256
DESCRIPTORS_EACH = 8
"""Descriptors that the rest of the host needs, and that one child takes while it starts."""


@dataclass(slots=True)
class _Order:
    """What Lua asks for: the payload, with the texts that came beside it in their places.

    In ``arguments``, ``env`` and ``folder`` a zero byte stands for the path of the prompt's file;
    ``input`` is in pieces with that path between them, and None where the child gets none.
    """

    payload: dict[str, Any]
    arguments: list[bytes]
    env: dict[bytes, bytes]
    folder: bytes | None
    input: list[bytes] | None
    prompt: bytes | None
    who: str

    @classmethod
    def read(cls, payload: dict[str, Any], data: bytes) -> _Order:
        texts, at = [], 0
        for size in payload["sizes"]:
            texts.append(data[at : at + size])
            at += size
        following = iter(texts)

        def take(count: int) -> list[bytes]:
            return [next(following) for _ in range(count)]

        return cls(
            payload,
            arguments=take(payload["arguments"]),
            env=dict(zip(map(os.fsencode, payload["env"]), following, strict=False)),
            folder=next(following) if payload["folder"] else None,
            input=take(payload["input"]) or None,
            prompt=next(following) if payload["prompt_file"] else None,
            who=payload["who"],
        )

    def with_prompt_file(self, path: bytes) -> None:
        """Puts the path where it belongs."""
        self.arguments = [text.replace(b"\0", path) for text in self.arguments]
        self.env = {name: text.replace(b"\0", path) for name, text in self.env.items()}
        if self.folder is not None:
            self.folder = self.folder.replace(b"\0", path)
        if self.input is not None:
            self.input = [path.join(self.input)]


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
        async with self._turns:
            order = _Order.read(payload, call.data or b"")
            if order.prompt is None:
                return await self._run(order, call)
            with _prompt_file(order.prompt, order.who) as path:
                order.with_prompt_file(os.fsencode(path))
                return await self._run(order, call)

    async def _run(self, order: _Order, call: Call) -> Answer:
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
        self, order: _Order, secrets: dict[bytes, bytes], call: Call, file: FileIO | None
    ) -> Answer:
        child = await _start(order, secrets, self._children)
        try:
            run = _Run(child, order, call, Mask(secrets.values()), file)
            return await run.to_the_end()
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


async def _start(
    order: _Order, secrets: dict[bytes, bytes], starter: children.Children
) -> children.Child:
    payload, arguments = order.payload, order.arguments
    if order.folder is not None:
        programs.check_folder(order.folder, order.who)
    program = programs.find(arguments[0], order.folder, order.who)
    if payload.get("bounds"):
        arguments = programs.bounded(program, arguments, payload["bounds"], order.who)
        programs.check_variables((*order.env, *secrets), payload["bounds"])
    inherit = payload["inherit"] if payload["inherits"] else None
    variables = programs.environment({**order.env, **secrets}, inherit)
    try:
        return await starter.start(
            arguments,
            program=program,
            environment=variables,
            folder=order.folder,
            has_input=order.input is not None,
        )
    except OSError as problem:
        why = programs.reason(problem, program, arguments, variables, order.folder)
        name = programs.shown(arguments[0])
        raise PortError("process_failed", f"{order.who}: {name} did not start: {why}") from None


class _Run:
    """One child's life."""

    def __init__(
        self,
        child: children.Child,
        order: _Order,
        call: Call,
        mask: Mask,
        file: FileIO | None,
    ) -> None:
        self._child = child
        self._order = order
        self._call = call
        self._file = file
        self._pipes = Pipes(child, b"".join(order.input or ()), self._take_out, self._take_err)
        self._ended = anyio.Event()
        self._exited = False
        self._problem: str | None = None  # why the child is stopped before its end
        self._fields: dict[str, Any] = {}  # what belongs to that
        self._out, self._out_size, self._out_mask = bytearray(), 0, mask
        self._err, self._err_mask = bytearray(), mask.another()
        self._lines = Lines(order.payload["line"])

    async def to_the_end(self) -> Answer:
        """Waits for the child's end, or ends it where the request is cancelled or out of time."""
        seconds = self._order.payload.get("timeout")
        kill_after = self._order.payload["kill_after"]
        pumping = anyio.CancelScope(shield=True)
        late = False
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._pump, pumping)
            tasks.start_soon(self._watch)
            try:
                with anyio.move_on_after(seconds) as limit:
                    await self._ended.wait()
                    if self._exited:
                        await self._pipes.settle()
                late = limit.cancelled_caught and not self._exited
            finally:
                # The pumps go on meanwhile: what a child says on its way out is heard.
                with anyio.CancelScope(shield=True):
                    ended = await self._child.end(kill_after)
                    await self._pipes.settle()
                    await self._take_rest()
                pumping.cancel()
                if self._file is not None:
                    self._file.close()
        if self._problem is not None:
            raise self._failed(self._problem, ended)
        if late:
            message = f"{self._order.who}: the program did not end within {seconds:g} s"
            raise PortError("timeout", message, seconds=seconds)
        if ended.code is None and ended.signal is None:
            raise self._failed(
                "how the program ended is not known: the guardian of its processes has ended", ended
            )
        return self._answer(ended)

    async def _pump(self, scope: anyio.CancelScope) -> None:
        with scope:
            await self._pipes.pump()

    async def _watch(self) -> None:
        await self._child.exited()
        self._exited = True
        self._ended.set()

    async def _take_out(self, data: bytes) -> None:
        most = self._order.payload["output"]
        self._out_size += len(data)
        if self._problem is not None:
            return  # it is being stopped: nobody wants the rest
        if self._out_size > most:
            self._stop(
                f"it wrote more than {most} bytes to its standard output; "
                "raise limits = { output = bytes }, or let it write to a file"
            )
        else:
            self._keep_out(self._out_mask.feed(data))

    def _keep_out(self, data: bytes) -> None:
        if self._file is None:
            self._out += data
            return
        try:
            put(self._file.fileno(), data)
        except OSError as problem:
            path, why = self._file.name, words_of(problem)
            self._stop(f"its output could not be kept in {path}: {why}")
            self._fields["path"] = path

    def _stop(self, why: str) -> None:
        self._problem = self._problem or why
        self._ended.set()

    async def _take_err(self, data: bytes) -> None:
        await self._tell(self._err_mask.feed(data))

    async def _tell(self, data: bytes, *, last: bool = False) -> None:
        self._err += data
        if len(self._err) > 2 * STDERR_KEPT:
            del self._err[:-STDERR_KEPT]
        if self._order.payload["tells"]:
            lines = self._lines.feed(data, last=last)
            if lines:
                await self._call.emit({"lines": len(lines)}, b"\n".join(lines))

    async def _take_rest(self) -> None:
        self._keep_out(self._out_mask.rest())
        await self._tell(self._err_mask.rest(), last=True)

    def _failed(self, why: str, ended: children.Exit) -> PortError:
        fields = self._fields
        fields["stderr"] = bytes(self._err[-STDERR_IN_ERRORS:]).decode(errors="replace")
        if ended.code is not None:
            fields["exit_code"] = ended.code
        if ended.signal is not None:
            fields["signal"] = ended.signal
        return PortError("process_failed", f"{self._order.who}: {why}", **fields)

    def _answer(self, ended: children.Exit) -> Answer:
        err = bytes(self._err[-STDERR_KEPT:])
        value: dict[str, Any] = {"stdout": len(self._out), "size": self._out_size}
        if ended.code is not None:
            value["exit_code"] = ended.code
        if ended.signal is not None:
            value["signal"] = ended.signal
        if self._file is not None:
            value["path"] = self._file.name
        return Answer(value=value, data=bytes(self._out) + err)


class Lines:
    """Cuts a stream into lines, each at most so long; what is dropped of one is counted in it.

    :param most: bytes of a line.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._line = bytearray()
        self._dropped = 0

    def feed(self, data: bytes, *, last: bool = False) -> list[bytes]:
        """The lines that are whole now; with ``last``, the one that has no end too."""
        *whole, rest = data.split(b"\n")
        lines = []
        for part in whole:
            self._add(part)
            lines.append(self._take())
        self._add(rest)
        if last and (self._line or self._dropped):
            lines.append(self._take())
        return lines

    def _add(self, part: bytes) -> None:
        room = self._most - len(self._line)
        self._line += part[:room]
        self._dropped += max(0, len(part) - room)

    def _take(self) -> bytes:
        line = bytes(self._line)
        if self._dropped:
            line += b" [%d bytes dropped]" % self._dropped
        self._line.clear()
        self._dropped = 0
        return line
