"""A descriptor that somebody else reads: what is written arrives whole and in order, and whoever
writes never waits for the reader.

What the system does not take at once is gathered, and a thread writes it once there is room. Much
of it slows down who writes, in small steps: timers and processes are looked after in between.
"""

from __future__ import annotations

import errno
import os
import select
import stat
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from swarm_host.errors import words_of

GATHERED = 16 * 1024 * 1024
"""Bytes that are gathered before they slow down who writes."""

_PAUSE_SECONDS = 0.05
"""How long a write waits for the reader where so much is gathered; four times as long where twice
as much is."""

_MOST_SECONDS = 1.0
_CHUNK = 1024 * 1024
_SMALL = 256  # bytes for which there is room wherever the system says that there is any
_RETRY_SECONDS = 0.01


class Outlet:
    """Writes to a descriptor, from any thread.

    :param fd: the descriptor.
    :param name: what it is, for messages.
    :ivar problem: why nothing can be written any more; None: all is well.
    :ivar on_problem: called once with the outlet, in whatever thread, when that happens.
    """

    def __init__(self, fd: int, name: str) -> None:
        self.name = name
        self.problem: OSError | None = None
        self.on_problem: Callable[[Outlet], object] | None = None
        self._fd = fd
        self._send: Callable[[memoryview], int] | None = None  # found at the first write
        self._left = bytearray()
        self._changed = threading.Condition()
        self._drains = False
        self._held = False

    @property
    def pending(self) -> int:
        """Bytes that are gathered: somebody does not read."""
        return len(self._left)

    def write(self, data: bytes) -> None:
        """Writes, or gathers what cannot be written now. Where there is a problem: nothing."""
        with self._changed:
            if self.problem is not None:
                return
            self._left += data
            if not self._drains and not self._held:
                self._push()
                self._drains = bool(self._left)
                if self._drains:
                    self._start()
            excess = len(self._left) / GATHERED
            if excess > 1 and (self._drains or self._held):
                pause = min(_PAUSE_SECONDS * excess * excess, _MOST_SECONDS)
                self._changed.wait_for(lambda: len(self._left) <= GATHERED, pause)
        self._tell()

    @property
    def is_terminal(self) -> bool:
        """Whether it is a terminal."""
        return os.isatty(self._fd)

    def hold(self, held: bool) -> None:
        """Gathers all that is written from now on, or writes what was gathered: somebody else
        writes there for a while."""
        with self._changed:
            self._held = held
            if not held and self._left and not self._drains and self.problem is None:
                self._drains = True
                self._start()

    def wait(self, seconds: float) -> bool:
        """Waits until all is written, or there is a problem. False: the time was up before."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._left, seconds)

    def is_same(self, other: Outlet) -> bool:
        """Whether both write to one pipe, terminal or socket, where order is kept across them."""
        try:
            ours, theirs = os.fstat(self._fd), os.fstat(other._fd)
        except OSError:
            return False
        return os.path.samestat(ours, theirs) and _may_wait(self._fd, ours.st_mode)

    def _start(self) -> None:
        try:
            threading.Thread(target=self._drain, name=self.name, daemon=True).start()
        except RuntimeError:  # no more threads: better late than lost
            self._drain_here()

    def _drain(self) -> None:
        poll = select.poll()
        poll.register(self._fd, select.POLLOUT)
        while True:
            poll.poll()
            with self._changed:
                before = len(self._left)
                if not self._held:
                    self._push()
                stuck = len(self._left) == before
                self._drains = bool(self._left)
                self._changed.notify_all()
                if not self._drains:
                    break
            if stuck:
                time.sleep(_RETRY_SECONDS)
        self._tell()

    def _drain_here(self) -> None:
        while self._left:
            select.select([], [self._fd], [], _RETRY_SECONDS)
            self._push()
        self._drains = False

    def _push(self) -> None:
        """Writes what the system takes now."""
        try:
            if self._send is None:
                self._send = _way_into(self._fd)
            while self._left:
                with memoryview(self._left) as whole, whole[:_CHUNK] as part:
                    sent = self._send(part)
                if sent == 0:
                    return
                del self._left[:sent]
        except BlockingIOError:
            return
        except OSError as problem:
            self.problem = problem
            self._left.clear()

    def _tell(self) -> None:
        if self.problem is not None and self.on_problem is not None:
            tell, self.on_problem = self.on_problem, None
            tell(self)


def reason(problem: OSError) -> str:
    """Why something cannot be written, in words."""
    if problem.errno == errno.EPIPE:
        return "nobody reads it any more"
    if problem.errno == errno.EBADF:
        return "it is closed"
    return words_of(problem)


def _may_wait(fd: int, mode: int) -> bool:
    """Whether there is a reader who may let us wait; a file or a device takes what it can hold."""
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or os.isatty(fd)


def _way_into(fd: int) -> Callable[[memoryview], int]:
    """How to write there without waiting. Whether a descriptor waits is a matter of all that share
    it, other processes too; so it is not changed, but opened once more where that is possible."""
    mode = os.fstat(fd).st_mode
    if stat.S_ISSOCK(mode):
        import socket

        end = socket.socket(fileno=os.dup(fd))
        return lambda data: end.send(data, socket.MSG_DONTWAIT)
    if not _may_wait(fd, mode):
        return lambda data: os.write(fd, data)
    with suppress(OSError):
        again = os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY
        own = os.open(f"/proc/self/fd/{fd}", again)
        return lambda data: os.write(own, data)
    poll = select.poll()
    poll.register(fd, select.POLLOUT)
    return lambda data: os.write(fd, data[:_SMALL]) if poll.poll(0) else 0
