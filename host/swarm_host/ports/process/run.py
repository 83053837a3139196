"""One child's life: what it says goes to the worker as it comes, and all of it to its end."""

from __future__ import annotations

import os
import select
from collections.abc import Awaitable, Callable
from io import FileIO
from typing import Any

import anyio
from anyio.abc import TaskGroup

from swarm_host.errors import words_of
from swarm_host.ports.contract import Answer, Call, PortError
from swarm_host.ports.process.children import Child, Exit
from swarm_host.ports.process.framing import Broken, Frames, Framing, Lines, Plain, ServerSent
from swarm_host.ports.process.order import Order
from swarm_host.ports.process.pipes import Pipes, write
from swarm_host.ports.secrets import Mask
from swarm_host.ports.writing import put

STDERR_KEPT = 1024 * 1024
"""Bytes of a child's standard error that are kept, the last ones."""
STDERR_IN_ERRORS = 4096
"""Bytes of it that an error shows."""

OUT, ERR, TOOK = {"out": True}, {"err": True}, {"took": True}
"""Events: items of its standard output, lines of its standard error, and that a piece of input has
been written, or nobody reads any more."""
STARTED = {"started": True}
"""That it runs, for who wants to know (``tells_start``)."""
SILENT = {"silent": True}
"""That its standard output is at an end, for who wants to know (``tells_silence``)."""


class Unstarted(Exception):
    """The system could not start a child.

    :param problem: why.
    """

    def __init__(self, problem: OSError) -> None:
        super().__init__(str(problem))
        self.problem = problem


class Run:
    """Runs a child that was asked for.

    The worker may tell ``{"input": true}`` with a piece of the child's input, one at a time until
    :data:`TOOK`; ``{"close": true}``: that was all of it; ``{"final": true}``: it has what it
    wants, and the child may live on for ``linger`` seconds.

    :param child: the child.
    :param order: what was asked for.
    :param call: who asks.
    :param mask: hides its secrets.
    :param file: where its output goes instead.
    """

    def __init__(
        self, child: Child, order: Order, call: Call, mask: Mask, file: FileIO | None
    ) -> None:
        payload = order.payload
        self._child, self._order, self._call, self._file = child, order, call, file
        self._pipes = Pipes(child)
        self._running = anyio.CancelScope()  # is cancelled where the child is to be ended
        self._scopes: set[anyio.CancelScope] = set()  # of what is done beside
        self._exited = self._lingered = False
        self._problem: PortError | None = None  # why the child is stopped before its end
        self._out = bytearray()
        self._out_size = 0
        stream = payload.get("stream")
        self._out_mask = Mask(()) if stream == "frames" else mask  # each frame by itself
        self._err_mask = mask.another()
        self._plain = Plain() if payload.get("plain") else None
        self._err = bytearray()
        self._lines = Lines(payload["line"])
        self._framing = _framing(stream, payload["line"], mask)
        self._keeps = stream in (None, "watched")
        self._given: anyio.Event | None = None
        self._pieces: list[bytes | None] = []
        self._fed = 0  # of these, that were written

    async def to_the_end(self) -> Answer:
        """Waits for the child's end, or ends it where the request is cancelled or out of time.

        :raises Unstarted: the system could not start it.
        """
        payload, child = self._order.payload, self._child
        unstarted: OSError | None = None
        late = False
        async with anyio.create_task_group() as tasks:
            # These wait for it already while it is being started, which takes longer.
            rests = not payload.get("terminal")  # one gives little at a time however much there is
            for fd, take, paced in (
                (child.stdout, self._take_out, rests and self._framing is None),
                (child.stderr, self._take_err, rests),
            ):
                if fd is not None:
                    self._beside(tasks, self._moves, self._pipes.read, fd, take, paced)
            stdin = None if payload.get("feeds") else child.stdin
            if stdin is not None and not self._give(stdin):
                self._beside(tasks, self._moves, self._feed, stdin)
            try:
                try:
                    await child.started()
                except OSError as problem:
                    unstarted = problem
                else:
                    late = await self._until_it_ends(tasks)
            finally:
                # Bytes move on meanwhile: what a child says on its way out is heard.
                with anyio.CancelScope(shield=True):
                    ended = await child.end(payload["kill_after"])
                    if child.pid:
                        await self._pipes.settle()
                        await self._take_rest()
                for scope in self._scopes:  # most often there is none any more
                    scope.cancel()
                if self._file is not None:
                    self._file.close()
        if unstarted is not None:
            raise Unstarted(unstarted)
        if self._problem is not None:
            raise self._with_end(self._problem, ended)
        if late:
            seconds = payload["timeout"]
            message = f"{self._order.who}: the program did not end within {seconds:g} s"
            raise PortError("timeout", message, seconds=seconds)
        if ended.code is None and ended.signal is None:
            why = "how the program ended is not known: the guardian of its processes has ended"
            raise self._with_end(self._failure(why), ended)
        return self._answer(ended)

    async def _until_it_ends(self, tasks: TaskGroup) -> bool:
        """Waits until the child itself has ended, or is to be, and says whether it is late."""
        payload = self._order.payload
        if payload.get("tells_start"):
            await self._call.emit(STARTED, None)
        if payload.get("feeds") and self._child.stdin is not None:
            self._beside(tasks, self._moves, self._feed, self._child.stdin)
        if payload.get("listens"):
            self._beside(tasks, self._moves, self._listen)
        if payload.get("idle"):
            self._beside(tasks, self._guard_idle, payload["idle"], shield=False)
        with self._running:
            with anyio.move_on_after(payload.get("timeout")) as limit:
                await self._child.exited()
                self._exited = True
            if self._exited:
                await self._pipes.settle()
        return limit.cancelled_caught and not self._exited

    def _beside(
        self,
        tasks: TaskGroup,
        do: Callable[..., Awaitable[None]],
        *arguments: Any,
        shield: bool = True,
    ) -> None:
        """Does something until the child has ended; shielded: whatever is cancelled before."""
        scope = anyio.CancelScope(shield=shield)
        self._scopes.add(scope)  # now: it may be cancelled before it has begun

        async def run() -> None:
            with scope:
                await do(*arguments)
            self._scopes.discard(scope)

        tasks.start_soon(run)

    async def _moves(self, move: Callable[..., Awaitable[None]], *arguments: Any) -> None:
        """Moves bytes."""
        try:
            await move(*arguments)
            if arguments[:1] == (self._child.stdout,) and self._order.payload.get("tells_silence"):
                await self._call.emit(SILENT, None)
        except OSError as problem:
            self._stop(self._failure(f"its pipes cannot be used: {words_of(problem)}"))

    async def _guard_idle(self, seconds: float) -> None:
        await self._pipes.silence(seconds)
        if not self._exited:
            message = f"{self._order.who}: the program wrote nothing for {seconds:g} s (idle)"
            self._stop(PortError("idle_timeout", message, seconds=seconds))

    # What it is told. ------------------------------------------------------------------------

    def _give(self, fd: int) -> bool:
        """Writes the child's input now, where it is so small that it goes whole or not at all, and
        says whether it did."""
        texts = self._order.input or ()
        if self._child.end_of_input or sum(map(len, texts)) > select.PIPE_BUF:
            return False
        try:
            os.write(fd, b"".join(texts))
        except BrokenPipeError:
            pass  # it has ended already, and need not read its input
        except OSError:
            return False  # who writes it piece by piece comes to the same, and waits where it must
        self._child.close_stdin()
        return True

    async def _feed(self, fd: int) -> None:
        """Writes the child's input."""
        try:
            for text in self._order.input or ():
                if not await write(fd, text):
                    return
            while self._order.payload.get("feeds"):
                while not self._pieces:
                    self._given = anyio.Event()
                    await self._given.wait()
                piece = self._pieces.pop(0)
                if piece is None:
                    break
                self._fed += await write(fd, piece)
                await self._call.emit(TOOK, None)
            await write(fd, self._child.end_of_input)
        finally:
            self._child.close_stdin()

    async def _listen(self) -> None:
        """Takes what the worker tells."""
        async with anyio.create_task_group() as tasks:
            while True:
                told, data = await self._call.receive()
                if "final" in told:
                    tasks.start_soon(self._linger)
                    continue
                self._pieces.append(data or b"" if "input" in told else None)
                if self._given is not None:
                    self._given.set()

    async def _linger(self) -> None:
        """Lets the child live on for a while: it may go on to read its input."""
        await anyio.sleep(self._order.payload["linger"])
        if not self._exited:
            self._lingered = True
            self._running.cancel()

    # What it says. ---------------------------------------------------------------------------

    async def _take_out(self, data: bytes) -> None:
        if self._problem is not None:
            return  # it is being stopped: nobody wants the rest
        if self._plain is not None:
            data = self._plain.feed(data)
        await self._tell_out(self._out_mask.feed(data))

    async def _tell_out(self, data: bytes, *, last: bool = False) -> None:
        self._out_size += len(data)
        if data and not isinstance(self._framing, Frames):
            self._call.say("out" if self._framing is None else "items", data)
        if self._keeps:
            self._keep(data)
        if self._framing is not None and self._problem is None:
            try:
                whole = self._framing.feed(data, last=last)
            except Broken as problem:
                whole = problem.before
                self._stop(self._failure(str(problem)))
            if whole:
                await self._call.emit(OUT, whole)

    def _keep(self, data: bytes) -> None:
        most = self._order.payload["output"]
        if self._out_size > most:
            why = (
                f"it wrote more than {most} bytes to its standard output; "
                "raise limits = { output = bytes }, or let it write to a file"
            )
            self._stop(self._failure(why))
            return
        if self._file is None:
            self._out += data
            return
        try:
            put(self._file.fileno(), data)
        except OSError as problem:
            path, why = self._file.name, words_of(problem)
            self._stop(self._failure(f"its output could not be kept in {path}: {why}", path=path))

    async def _take_err(self, data: bytes) -> None:
        await self._tell_err(self._err_mask.feed(data))

    async def _tell_err(self, data: bytes, *, last: bool = False) -> None:
        if data:
            self._call.say("err", data)
        self._err += data
        if len(self._err) > 2 * STDERR_KEPT:
            del self._err[:-STDERR_KEPT]
        if self._order.payload["tells"]:
            lines = self._lines.feed(data, last=last)
            if lines:
                await self._call.emit(ERR, lines)

    async def _take_rest(self) -> None:
        if self._problem is None:
            rest = b"" if self._plain is None else self._plain.feed(b"", last=True)
            rest = self._out_mask.feed(rest) + self._out_mask.rest()
            await self._tell_out(rest, last=True)
        await self._tell_err(self._err_mask.rest(), last=True)

    # How it ends. ----------------------------------------------------------------------------

    def _stop(self, problem: PortError) -> None:
        self._problem = self._problem or problem
        self._running.cancel()

    def _failure(self, why: str, **fields: Any) -> PortError:
        return PortError("process_failed", f"{self._order.who}: {why}", reason=why, **fields)

    def _with_end(self, problem: PortError, ended: Exit) -> PortError:
        fields = problem.fields
        fields["stderr"] = bytes(self._err[-STDERR_IN_ERRORS:]).decode(errors="replace")
        fields |= _ends(ended)
        return problem

    def _answer(self, ended: Exit) -> Answer:
        value = {"size": self._out_size, **_ends(ended)}
        if self._order.payload.get("feeds"):
            value["fed"] = self._fed
        if self._lingered:
            value["lingered"] = True
        if self._file is not None:
            value["path"] = self._file.name
        if self._order.payload.get("chomp") and self._out.endswith(b"\n"):
            del self._out[-1:]
        return Answer(value=value, data=(self._out, self._err[-STDERR_KEPT:]))


def _ends(ended: Exit) -> dict[str, Any]:
    return {
        name: value
        for name, value in (("exit_code", ended.code), ("signal", ended.signal))
        if value is not None
    }


def _framing(stream: str | None, most: int, mask: Mask) -> Framing | None:
    if stream is None:
        return None
    if stream == "frames":
        return Frames(most, mask)
    return ServerSent(most) if stream == "sse" else Lines(most)
