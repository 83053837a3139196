"""The three pipes of a child, pumped at once, so that no size of any can dead-lock."""

from __future__ import annotations

import errno
import fcntl
import os
import select
import struct
import termios
import time
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
"""So many turns in all. Turns, not seconds: while Lua computes, nobody can read. They count from
when all that was written before its end has been read and taken, however slowly that goes; what
comes later is of those it has left behind, who may write for ever."""

PACE_SECONDS = 0.1
"""How long a reader rests that has read a little again and again: who writes line by line, and many
of them, is read so many times a second and not once a line."""
PACE_BYTES = 16384
PACE_AFTER = 8
PACE_GAP_SECONDS = 0.05
"""Reads of less than so many bytes are little; so many of them one after the other, for each of
which it has waited no longer than this, and it rests."""

Take = Callable[[bytes], Awaitable[None]]


class Pipes:
    """What a child writes to.

    :param child: the child.
    """

    def __init__(self, child: Child) -> None:
        self._open = {fd for fd in (child.stdout, child.stderr) if fd is not None}
        self._waiting: set[int] = set()
        self._taking: dict[int, int] = {}  # of each, how many bytes are read and not taken yet
        self._owed: dict[int, int] = {}  # of each, how many were written before the child's end
        self._heard = time.monotonic()
        self._drained = anyio.Event()
        self._ended = anyio.Event()  # the child has: nobody rests

    async def silence(self, seconds: float) -> None:
        """Waits until nothing was read for so long. The time in which what was read is not taken
        yet is no silence."""
        self._heard = time.monotonic()
        while True:
            left = self._heard + seconds - time.monotonic()
            if self._taking:
                left = seconds
            elif left <= 0 and self._is_quiet():
                return
            await anyio.sleep(max(left, TURN_SECONDS))

    async def settle(self) -> None:
        """Waits for the last bytes after the child's end: until nobody writes, or has for long."""
        self._ended.set()
        self._owed = {fd: self._taking.get(fd, 0) + _unread(fd) for fd in self._open}
        quiet = turns = 0
        heard = self._heard
        while turns < MOST_TURNS and self._open:
            with anyio.move_on_after(TURN_SECONDS):
                await self._drained.wait()
                return
            if not any(self._owed.values()):
                turns += 1
                quiet = quiet + 1 if self._heard == heard and self._is_quiet() else 0
                heard = self._heard
            if quiet == QUIET_TURNS:
                return

    def _is_quiet(self) -> bool:
        """Whether the readers wait, and rightly so."""
        if self._taking or self._waiting != self._open:
            return False
        poll = select.poll()
        for fd in self._open:
            poll.register(fd, select.POLLIN)
        return not poll.poll(0)

    async def read(self, fd: int, take: Take, paced: bool = False) -> None:
        """Reads one of them until the child and all others that hold it have closed it.

        :param take: takes what was read, piece by piece; the child waits while it does.
        :param paced: nobody answers what is read: it need not be read at once.
        """
        little, before = 0, 0.0
        while True:
            try:
                data = os.read(fd, CHUNK)
            except BlockingIOError:
                self._waiting.add(fd)
                await anyio.wait_readable(fd)
                self._waiting.discard(fd)
                continue
            except OSError as problem:
                if problem.errno != errno.EIO:
                    raise
                break  # a terminal whose other side is closed
            if not data:
                break
            self._taking[fd] = len(data)
            try:
                await take(data)
            finally:
                del self._taking[fd]
            self._owed[fd] = max(0, self._owed.get(fd, 0) - len(data))
            now = self._heard = time.monotonic()
            is_little = len(data) < PACE_BYTES and now - before < PACE_GAP_SECONDS
            little = little + 1 if is_little else 0
            if paced and little > PACE_AFTER and not self._ended.is_set():
                with anyio.move_on_after(PACE_SECONDS):
                    await self._ended.wait()
                now = time.monotonic()
            else:
                await checkpoint()
            before = now
        self._open.discard(fd)
        self._owed.pop(fd, None)
        if not self._open:
            self._drained.set()


def _unread(fd: int) -> int:
    """How many bytes wait to be read."""
    try:
        size: int = struct.unpack("i", fcntl.ioctl(fd, termios.FIONREAD, bytes(4)))[0]
    except OSError:
        return 0  # a terminal whose other side is closed
    return size


async def write(fd: int, data: bytes) -> bool:
    """Writes all of the data, as the reader takes it.

    :param fd: non-blocking.
    :return: False: nobody reads any more.
    """
    left = memoryview(data)
    try:
        while left:
            try:
                left = left[os.write(fd, left[:CHUNK]) :]
                await checkpoint()
            except BlockingIOError:
                await anyio.wait_writable(fd)
    except BrokenPipeError:
        return False  # a child need not read all of its input
    except OSError as problem:
        if problem.errno != errno.EIO:
            raise
        return False  # the same of a terminal
    return True
