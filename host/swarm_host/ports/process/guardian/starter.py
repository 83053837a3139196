"""The starter: starts children, tells how they end, and ends them with all that came of them.

The host's main socket brings descriptors only: those that a child is to have, and before them one
end of a socket of that child's own, the control. What is said there is

- by the host: four bytes of length and, in ``marshal``, the start; later, in eight bytes, after how
  many microseconds whoever has not heard SIGTERM is killed; its end means that all is killed now;
- by the starter, each with four bytes behind it: ``S`` and the process id; ``F`` and the error
  number, instead; ``X`` and the status of a child that has ended and has left nobody; ``x`` and the
  status where others are left, and ``G`` once they are gone.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import _socket
import errno
import marshal
import os
import select
import sys
import time

from swarm_host.ports.process.guardian.owners import Attempt, Owners
from swarm_host.ports.process.guardian.starting import start

POLL_SECONDS = 0.01
"""How often a group is looked at where the system does not tell of who has lost its parent."""

ROOM = _socket.CMSG_SPACE(4 * 4)
CLOSE_ON_EXEC = getattr(_socket, "MSG_CMSG_CLOEXEC", 0)
CHUNK = 65536


class Starter:
    """Serves a host.

    :param host: the main socket.
    :param run: what the marks of this run begin with.
    :param warden: a descriptor that tells of the warden's end.
    :param adopts: whether who loses its parent becomes our child.
    """

    def __init__(self, host: _socket.socket, run: bytes, warden: int, adopts: bool) -> None:
        self._host = host
        self._warden = warden
        self._adopts = adopts
        self._owners = Owners(run, adopts)
        self._controls: dict[int, Attempt] = {}
        self._ending: set[Attempt] = set()
        self._null = os.open(os.devnull, os.O_RDWR)
        self._wakes, tell = os.pipe()
        for fd in (self._wakes, tell):
            os.set_blocking(fd, False)
        _signal.signal(_signal.SIGCHLD, lambda _number, _frame: None)
        _signal.set_wakeup_fd(tell, warn_on_full_buffer=False)
        has_epoll = hasattr(select, "epoll")
        self._poll = select.epoll() if has_epoll else select.poll()
        self._unit = 1 if has_epoll else 1000  # of its timeout
        for fd in (host.fileno(), self._wakes, warden):
            self._poll.register(fd, select.POLLIN)

    def until_the_end(self) -> None:
        """Works until the host has ended, or the warden."""
        host, wakes, warden = self._host.fileno(), self._wakes, self._warden
        while True:
            wait = self._wait()
            for fd, _ in self._poll.poll(None if wait is None else wait * self._unit):
                if fd == wakes:
                    os.read(wakes, 4096)
                    self._reap()
                elif fd == host:
                    if not self._take():
                        return
                elif fd == warden:
                    return
                elif fd in self._controls:  # not one that was forgotten in this round
                    self._hear(self._controls[fd])
            if self._ending:
                self._look_at_the_clock()

    def kill_all(self) -> None:
        """SIGKILL to all that is left."""
        self._owners.kill_all()

    def _take(self) -> bool:
        """Takes descriptors, and says whether the host is there."""
        while True:
            try:
                data, extra, flags, _ = self._host.recvmsg(1, ROOM, CLOSE_ON_EXEC)
            except BlockingIOError:
                return True
            except OSError:
                return False
            if not data:
                return False
            fds = [
                int.from_bytes(packed[at : at + 4], sys.byteorder)
                for _, _, packed in extra
                for at in range(0, len(packed) - 3, 4)
            ]
            if not CLOSE_ON_EXEC:
                for fd in fds:
                    os.set_inheritable(fd, False)
            if not fds:  # too many are open: the host sees its socket closed
                continue
            attempt = self._controls[fds[0]] = Attempt(fds[0], fds[1:])
            self._poll.register(attempt.control, select.POLLIN)
            if flags & _socket.MSG_CTRUNC:
                self._fail(attempt, errno.EMFILE)
            else:
                self._hear(attempt)  # most often the start is there already

    def _hear(self, attempt: Attempt) -> None:
        try:
            data = os.read(attempt.control, CHUNK)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:  # nobody wants it any more
            if attempt.pid == 0:
                self._forget(attempt)
            else:
                self._poll.unregister(attempt.control)  # or it would be heard without end
                attempt.heard = False
                self._end(attempt, 0)
            return
        data = attempt.unread + data
        size = 8 if attempt.pid else 4 + int.from_bytes(data[:4], "little")
        if len(data) < max(size, 4):
            attempt.unread = data
        elif attempt.pid:
            attempt.unread = b""
            self._end(attempt, int.from_bytes(data[:8], "little") / 1e6)
        else:
            attempt.unread = b""
            self._start(attempt, data[4:])

    def _start(self, attempt: Attempt, data: bytes) -> None:
        number, *order = marshal.loads(data)
        files = attempt.files if len(attempt.files) == 3 else [self._null, *attempt.files]
        try:
            pid = start(files, *order)
        except OSError as problem:
            self._fail(attempt, problem.errno or 0)
            return
        for fd in attempt.files:
            os.close(fd)
        attempt.files = []
        self._owners.begin(attempt, number, pid)
        self._say(attempt, b"S", pid)

    def _fail(self, attempt: Attempt, problem: int) -> None:
        self._say(attempt, b"F", problem)
        self._forget(attempt)

    def _say(self, attempt: Attempt, kind: bytes, value: int) -> None:
        try:  # noqa: SIM105 - contextlib takes long to import
            os.write(attempt.control, kind + value.to_bytes(4, "little"))
        except OSError:
            pass  # nobody listens any more

    def _forget(self, attempt: Attempt) -> None:
        """Nothing is left of it."""
        if attempt.heard:
            self._poll.unregister(attempt.control)
        del self._controls[attempt.control]
        for fd in (attempt.control, *attempt.files):
            os.close(fd)
        self._ending.discard(attempt)
        if attempt.pid:
            self._owners.forget(attempt)

    def _reap(self) -> None:
        told = []
        for attempt in self._owners.reap():
            alone = not attempt.roots
            if attempt.status is not None and not attempt.told:
                attempt.told = True
                self._say(attempt, b"X" if alone else b"x", attempt.status)
            elif alone:
                self._say(attempt, b"G", 0)
            if alone:
                told.append(attempt)
        for attempt in told:
            self._forget(attempt)

    def _end(self, attempt: Attempt, kill_after: float) -> None:
        self._owners.look()
        self._ending.add(attempt)
        attempt.deadline = time.monotonic() + kill_after
        if kill_after > 0:
            # Who is stopped would not hear the first without the second.
            self._owners.send(attempt, _signal.SIGTERM, _signal.SIGCONT)
        self._look_at_the_clock()

    def _look_at_the_clock(self) -> None:
        now = time.monotonic()
        for attempt in tuple(self._ending):
            if not attempt.killing and attempt.deadline is not None and attempt.deadline <= now:
                self._owners.kill(attempt)
            self._owners.look_at_group(attempt)
            if not attempt.roots:
                self._say(attempt, b"G", 0)
                self._forget(attempt)

    def _wait(self) -> float | None:
        """How many seconds nothing has to be done."""
        if not self._ending:
            return None
        if not self._adopts:
            return POLL_SECONDS
        ends = [one.deadline for one in self._ending if one.deadline and not one.killing]
        return max(0.0, min(ends) - time.monotonic()) if ends else None
