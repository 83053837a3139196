"""The three pipes of a child, pumped at once, so that no size of any can dead-lock."""

from __future__ import annotations

import errno
import os
import select
from collections.abc import Awaitable, Callable

import anyio
from anyio.lowlevel import checkpoint

from swarm_host.ports.process.children import Child

CHUNK = 65536
"""Bytes read or written at once."""

TURN_SECONDS = 0.02
QUIET_TURNS = 10
"""So many turns without a byte after its end, and who still holds a child's pipes is left alone."""
MOST_TURNS = 100
"""So many turns in all. Turns, not seconds: while Lua computes, nobody can read."""

Take = Callable[[bytes], Awaitable[None]]


class Pipes:
    """Pumps the pipes of one child.

    :param child: the child.
    :param data: what it gets as input.
    :param out: takes what it writes to its output, piece by piece.
    :param err: the same for its errors.
    """

    def __init__(self, child: Child, data: bytes, out: Take, err: Take) -> None:
        self._child = child
        self._data = data
        self._takers = {child.stdout: out, child.stderr: err}
        self._open = {fd for fd in self._takers if fd is not None}
        self._waiting: set[int] = set()
        self._drained = anyio.Event()

    async def pump(self) -> None:
        """Pumps until all three are through."""
        async with anyio.create_task_group() as tasks:
            for fd, take in self._takers.items():
                if fd is not None:
                    tasks.start_soon(self._read, fd, take)
            if self._child.stdin is not None:
                tasks.start_soon(self._write, self._child.stdin)

    async def settle(self) -> None:
        """Waits for the last bytes after the child's end: until nobody writes, or has for long."""
        quiet = 0
        for _ in range(MOST_TURNS):
            with anyio.move_on_after(TURN_SECONDS):
                await self._drained.wait()
                return
            quiet = quiet + 1 if self._is_quiet() else 0
            if quiet == QUIET_TURNS:
                return

    def _is_quiet(self) -> bool:
        """Whether the readers wait, and rightly so."""
        if self._waiting != self._open:
            return False
        poll = select.poll()
        for fd in self._open:
            poll.register(fd, select.POLLIN)
        return not poll.poll(0)

    async def _read(self, fd: int, take: Take) -> None:
        while True:
            try:
                data = os.read(fd, CHUNK)
            except BlockingIOError:
                self._waiting.add(fd)
                await anyio.wait_readable(fd)
                self._waiting.discard(fd)
                continue
            except OSError as problem:
                if problem.errno != errno.EIO:  # a terminal that nobody has any more
                    raise
                break
            if not data:
                break
            await take(data)
            await checkpoint()
        self._open.discard(fd)
        if not self._open:
            self._drained.set()

    async def _write(self, fd: int) -> None:
        left = memoryview(self._data + self._child.end_of_input)
        try:
            while left:
                try:
                    left = left[os.write(fd, left[:CHUNK]) :]
                    await checkpoint()
                except BlockingIOError:
                    await anyio.wait_writable(fd)
        except BrokenPipeError:
            pass  # a child need not read all of its input
        finally:
            self._child.close_stdin()
