"""Child processes: started by a guardian, and ended with all that came of them.

This is the one place where children are asked for. Nothing above it knows how they are started: by
a process beside the host (``guardian/``), which outlives it long enough to leave nobody.
"""

from __future__ import annotations

import marshal
import os
import signal
import socket
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

import anyio

from swarm_host.ports.process import guarding
from swarm_host.ports.process.guarding import Guardian, end_all, end_by, kill_all, reap_orphans
from swarm_host.ports.process.terminals import END_OF_INPUT, open_terminal

__all__ = ["Child", "Children", "Exit", "end_all", "end_by", "kill_all", "reap_orphans"]

MOST_SECONDS = 1e9
"""What is longer is as good as without end."""

AT_MOST_SECONDS = 10.0
"""How long the end of all is waited for: a process may not hear even SIGKILL for long."""

LOST_SECONDS = 1.0
"""How long the end of a guardian is waited for that has dropped a start: it may be at an end, or
have had no descriptor left."""

WORD = 5
"""Bytes of one word of the guardian's (``guardian/starter.py``)."""


@dataclass(frozen=True, slots=True)
class Exit:
    """How a child ended: one of both is None. Both are where nobody knows, because the guardian
    itself has ended.

    :ivar code: its exit code.
    :ivar signal: the name of the signal that ended it, such as ``SIGKILL``.
    """

    code: int | None
    signal: str | None


class Child:
    """A child, leader of its own session and process group.

    :ivar pid: its process id, once it has started.
    :ivar stdin: its standard input as a non-blocking descriptor, or None where it has none.
    :ivar stdout: where its standard output is read, non-blocking; with a terminal the same one.
    :ivar stderr: where its standard error is read, non-blocking; None with a terminal.
    :ivar end_of_input: what is to be written after its input, so that it sees the end of it.
    """

    def __init__(
        self, guardian: Guardian, control: socket.socket, ends: Sequence[int | None]
    ) -> None:
        self._order = b""  # what of it is still to be sent
        self._guardian = guardian
        self._control = control
        self._said = b""
        self._failed: int | None = None
        self._status: int | None = None
        self._gone = False
        self._lost = False
        self.pid = 0
        self.stdin, self.stdout, self.stderr = ends
        self.end_of_input = b"" if self.stderr is not None else END_OF_INPUT

    async def exited(self) -> None:
        """Waits until the child itself has ended; what came of it may go on."""
        await self._until(lambda: self._status is not None)

    async def end(self, kill_after: float) -> Exit:
        """Ends all that came of the child: SIGTERM, then SIGKILL. At once where nothing is left.

        To be called once, where no cancel can reach it; then :meth:`close`.

        :param kill_after: seconds between the two signals.
        :return: how the child itself ended.
        """
        if not self._gone:
            after = int(min(max(kill_after, 0), MOST_SECONDS) * 1e6)
            with suppress(OSError):
                self._control.send(after.to_bytes(8, "little"))
            await self._until(lambda: self._gone)
        if self._lost and self.pid:  # else nothing had begun
            await self._guardian.over()
        if self._status is None:
            return Exit(None, None)
        number = os.waitstatus_to_exitcode(self._status)
        return Exit(number, None) if number >= 0 else Exit(None, _name_of(-number))

    def kill(self) -> None:
        """SIGKILL to all that came of the child, now."""
        if not self._gone:
            with suppress(OSError):
                self._control.shutdown(socket.SHUT_WR)

    def close_stdin(self) -> None:
        """Lets the child see the end of its input. One with a terminal sees it where
        :attr:`end_of_input` was written."""
        if self.stdin is not None and self.stdin != self.stdout:
            os.close(self.stdin)
        self.stdin = None

    def close(self) -> None:
        """Gives the descriptors back; what came of the child and is left is killed."""
        self._control.close()
        for fd in {self.stdin, self.stdout, self.stderr}:
            if fd is not None:
                os.close(fd)
        self.stdin = self.stdout = self.stderr = None

    async def started(self) -> None:
        """Waits until it runs, and must be called before any other wait. Where this is cancelled
        or raises nothing of it is left, and only :meth:`close` is still to be called.

        :raises OSError: the system could not start it.
        """
        try:
            await self._begin()
        except BaseException:
            await self._undo()
            raise
        self._guardian.has_ended()  # it may have something to say

    async def _undo(self) -> None:
        """Ends what may have been started."""
        self.kill()
        with anyio.CancelScope(shield=True):
            await self.end(0)

    async def _begin(self) -> None:
        """Sends what is left of the order, and hears what came of it."""
        left = memoryview(self._order)
        while left:
            try:
                left = left[self._control.send(left) :]
            except BlockingIOError:
                await anyio.wait_writable(self._control)
            except BrokenPipeError:
                break  # there is an answer, or it is lost
        await self._until(lambda: self.pid != 0 or self._failed is not None)
        if self._failed is not None:
            raise OSError(self._failed, os.strerror(self._failed))
        if self.pid == 0:
            with anyio.move_on_after(LOST_SECONDS):
                await self._guardian.over()
            raise guarding.Lost

    async def _until(self, done: Callable[[], bool]) -> None:
        """Hears what the guardian says, until something was said, or there is no guardian. Only one
        at a time may wait."""
        while not done() and not self._lost:
            try:
                data = self._control.recv(64)
            except BlockingIOError:
                await anyio.wait_readable(self._control)
                continue
            except OSError:
                data = b""
            if not data:
                self._lost = not self._gone
                self._gone = True
            self._said += data
            while len(self._said) >= WORD:
                self._take(self._said[:1], int.from_bytes(self._said[1:WORD], "little"))
                self._said = self._said[WORD:]

    def _take(self, kind: bytes, value: int) -> None:
        if kind == b"S":
            self.pid = value
            self._guardian.sessions.add(value)
        elif kind == b"F":
            self._failed = value
        elif kind in b"xX":
            self._status = value
        self._gone = self._gone or kind in b"FXG"
        if self._gone:
            self._guardian.sessions.discard(self.pid)


class Children:
    """Starts children. The first one starts a guardian, which is there until :meth:`aclose`."""

    def __init__(self) -> None:
        self._guardian: Guardian | None = None

    async def start(
        self,
        arguments: Sequence[bytes],
        *,
        program: bytes,
        environment: Mapping[bytes, bytes],
        folder: bytes | None,
        has_input: bool,
        limits: Mapping[str, int] | None = None,
        terminal: tuple[int, int] | None = None,
    ) -> Child:
        """Has a child started, and does not wait until it is (:meth:`Child.started`): what it will
        say can be listened to meanwhile. Where this is cancelled nothing of it is left.

        :param arguments: its argument vector, its own name first.
        :param program: the path of what is run.
        :param environment: all of its environment, save the mark.
        :param folder: its working directory; None: the host's.
        :param has_input: whether it gets a pipe as standard input, or an empty one.
        :param limits: bounds as in ``RLIMIT_*``, in lower case: ``{"as": 2**30}``.
        :param terminal: rows and columns of a terminal that it gets in place of pipes.
        :raises OSError: the system could not start it.
        """
        guardian = self._guardian
        if guardian is not None and (guardian.is_over or guardian.has_ended()):
            await guardian.over()
            self._guardian = None if self._guardian is guardian else self._guardian
        if self._guardian is None:
            self._guardian = guarding.begin()
        guardian = self._guardian
        number, mark = guardian.next_mark()
        order = marshal.dumps(
            (
                number,
                program,
                list(arguments),
                {**environment, guarding.MARK: mark},
                _below_ours(folder),
                dict(limits or {}),
                terminal is not None,
            )
        )
        ours, theirs = socket.socketpair()
        files: list[int] = []
        child: Child | None = None
        try:
            ours.setblocking(False)
            theirs.setblocking(False)
            ends, files = open_terminal(*terminal) if terminal else _open_pipes(has_input)
            child = Child(guardian, ours, ends)
            order = len(order).to_bytes(4, "little") + order
            sent = ours.send(order)  # before the descriptors: most often it is there with them
            child._order = order[sent:]
            await guardian.hand_over([theirs.fileno(), *files])
            theirs.close()
            for fd in files:
                os.close(fd)
        except BaseException:
            theirs.close()
            for fd in files:
                os.close(fd)
            if child is None:
                ours.close()
            else:
                await child._undo()
                child.close()
            raise
        return child

    async def aclose(self) -> None:
        """Ends the guardian, with whatever is left of all that it has started."""
        if self._guardian is not None:
            self._guardian.end()
            with anyio.move_on_after(AT_MOST_SECONDS):  # it goes on by itself
                await self._guardian.over()
            self._guardian = None


def _below_ours(folder: bytes | None) -> bytes:
    """A working directory as the guardian is told it, whose own is not ours."""
    if folder is not None and os.path.isabs(folder):  # noqa: PTH117 - bytes
        return folder
    return os.path.join(os.getcwdb(), folder or b"")  # noqa: PTH109, PTH118 - bytes


def _open_pipes(has_input: bool) -> tuple[list[int | None], list[int]]:
    """Our ends of a child's streams, and its own."""
    fds: list[int] = []
    try:
        for _ in range(3 if has_input else 2):
            fds += os.pipe()
    except OSError:
        for fd in fds:
            os.close(fd)
        raise
    out, its_out, err, its_err = fds[-4:]
    for fd in (out, err):
        os.set_blocking(fd, False)
    if not has_input:
        return [None, out, err], [its_out, its_err]
    its_in, stdin = fds[:2]
    os.set_blocking(stdin, False)
    return [stdin, out, err], [its_in, its_out, its_err]


def _name_of(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"SIG{number}"
