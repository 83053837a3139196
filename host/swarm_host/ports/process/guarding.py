"""Guardians, as the host sees them: each is a process that starts its children (``guardian/``)."""

from __future__ import annotations

import atexit
import errno
import logging
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path

import anyio

from swarm_host.ports.process.guardian import family

PROGRAM = Path(__file__).parent / "guardian" / "main.py"

MARK = b"SWARM_MARK"
"""The variable by which the guardian knows again who belongs to whom. It holds a word for each
host around the process: its run, and the number of the start."""

START_SECONDS = 1.0
"""How long a start under way may take, for who wants to end all children."""
END_SECONDS = 1.0
"""How long a guardian has for its end, for who cannot wait for it."""

POLL_SECONDS = 0.01
"""How often what the system does not tell of is looked at."""

UNGUARDED = (
    "this system does not tell who lost its parent: processes that leave their process group may "
    "outlive their worker and swarm-host"
)

_all: set[Guardian] = set()
_starting = threading.Lock()
_ends = False  # the host ends at once


class Lost(OSError):
    """The guardian has ended."""

    def __init__(self) -> None:
        super().__init__(errno.ECHILD, "the guardian of its processes has ended")


class Guardian:
    """A guardian process.

    :ivar is_over: it has ended, and with it all that it had started.
    :ivar sessions: those of the children that run.
    """

    def __init__(self) -> None:
        self._run = os.urandom(8).hex().encode()
        self._started = 0
        self._sending = anyio.Lock(fast_acquire=True)
        self._waiting = anyio.Lock()
        self.is_over = False
        self.sessions: set[int] = set()
        self._socket, its = socket.socketpair()
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", str(PROGRAM), str(its.fileno()), self._run.decode()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=[its.fileno()],
                start_new_session=True,
            )
        except BaseException:
            self._socket.close()
            raise
        finally:
            its.close()
        self._socket.setblocking(False)

    @property
    def pid(self) -> int:
        """The process id of its first process."""
        return self._process.pid

    def next_mark(self) -> tuple[int, bytes]:
        """The number of the next start, and what its environment is marked with."""
        self._started += 1
        mark = b"%s.%d" % (self._run, self._started)
        if MARK in os.environb:
            mark = os.environb[MARK] + b" " + mark
        return self._started, mark

    async def hand_over(self, fds: Sequence[int]) -> None:
        """Gives the guardian descriptors.

        :raises OSError: they could not be given.
        """
        async with self._sending:
            while True:
                try:
                    socket.send_fds(self._socket, [b"."], fds)
                    break
                except BlockingIOError:
                    await anyio.wait_writable(self._socket)
                except OSError as problem:
                    if problem.errno != errno.ETOOMANYREFS:
                        raise Lost from None
                    await anyio.sleep(POLL_SECONDS)  # as many as the system takes are under way

    def has_ended(self) -> bool:
        """Whether its process has ended. Says what it has to say, if there is something."""
        try:
            said = self._socket.recv(16)
        except BlockingIOError:
            return False
        except OSError:
            said = b""
        if said:
            _warn()
        return not said

    def end(self) -> None:
        """Has it end, with all that it has started."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)

    async def over(self) -> None:
        """Waits until it has ended, and sees to it that nobody is left."""
        if _ends:
            await anyio.sleep_forever()  # this process is about to end: no worker is to say more
        async with self._waiting:
            while not self.is_over:
                if not self.has_ended():
                    await anyio.wait_readable(self._socket)
                    continue
                if self._process.wait() != 0:  # it was killed, and may not have been the only one
                    while _kill_left(self._run, self.sessions):  # noqa: ASYNC110 - nothing tells of them
                        await anyio.sleep(POLL_SECONDS)
                self.is_over = True
                _all.discard(self)
                self._socket.close()

    def wait(self, end: float) -> None:
        """The same for who has no loop, until a time by the monotonic clock at most."""
        poll = select.poll()
        with suppress(OSError, ValueError):  # it is over
            poll.register(self._socket, select.POLLIN)
            while not self.has_ended() and (left := end - time.monotonic()) > 0:
                poll.poll(left * 1000)

    def forget(self) -> None:
        """This process is a fork, and the guardian not its own."""
        self._socket.close()
        self._process.returncode = 0


def begin() -> Guardian:
    """Starts a guardian.

    :raises OSError: the system could not.
    """
    with _starting:
        guardian = Guardian()
        _all.add(guardian)
    return guardian


@atexit.register
def kill_all() -> None:
    """Ends all guardians, and with them all that was started: for a host that ends without
    clean-up. Once this returns nothing is left, or it takes long.

    May be called from any thread and from a signal handler.
    """
    guardians = tuple(_all)
    for guardian in guardians:
        guardian.end()
    end = time.monotonic() + END_SECONDS
    for guardian in guardians:
        guardian.wait(end)


def end_all() -> None:
    """:func:`kill_all`, and nothing is started from now on: for a process that ends at once.

    Not to be called by a signal handler: the code that it interrupted may be starting a guardian.
    """
    global _ends
    _ends = True
    _starting.acquire(timeout=START_SECONDS)  # for good
    kill_all()


def end_by(number: signal.Signals) -> None:
    """Ends this process as a signal does that nobody handles, with all that it has started.

    For the main thread; see :func:`end_all`.
    """
    end_all()
    signal.signal(number, signal.SIG_DFL)
    signal.raise_signal(number)
    os._exit(128 + number)  # the first process of a container: no signal ends it by itself


def pids() -> set[int]:
    """The process ids of all guardians, whose ends are taken here."""
    return {guardian.pid for guardian in tuple(_all)}


def reap_orphans() -> None:
    """Takes what has ended, is our child, and was started by somebody else: for the first process
    of a container, which gets everybody whose parent has ended."""
    ours = str(os.getpid()).encode()
    with _starting:
        started = pids()
        for name in os.listdir("/proc"):  # noqa: PTH208 - names, not paths
            if name.isdigit() and int(name) not in started:
                with suppress(OSError):
                    fields = Path("/proc", name, "stat").read_bytes().rpartition(b")")[2].split()
                    if fields[0] == b"Z" and fields[1] == ours:
                        os.waitpid(int(name), os.WNOHANG)


def _forget_all() -> None:
    for guardian in _all:
        guardian.forget()
    _all.clear()


os.register_at_fork(after_in_child=_forget_all)


@cache
def _warn() -> None:
    logging.getLogger("swarm_host").warning(UNGUARDED)


def _kill_left(run: bytes, sessions: set[int]) -> bool:
    """SIGKILL to all that belong to a run, as far as it can be seen by who is not their ancestor.

    :param run: what their marks begin with.
    :param sessions: whoever has one of these is one of them; those that are found are added.
    :return: whether there was anybody.
    """
    if not Path("/proc/self/stat").exists():
        for group in sessions:
            with suppress(OSError):
                os.killpg(group, signal.SIGKILL)
        return False
    alive = [one for one in family.everybody() if not one.is_zombie and one.pid != os.getpid()]
    found: set[int] = set()
    size = -1
    while size < len(found):  # who has a parent among them is one of them
        size = len(found)
        for one in alive:
            if one.pid in found:
                continue
            if one.parent in found or one.session in sessions or _is_marked(one.pid, run):
                found.add(one.pid)
                sessions.add(one.session)
    for pid in found:
        with suppress(OSError):
            os.kill(pid, signal.SIGKILL)
    return bool(found)


def _is_marked(pid: int, run: bytes) -> bool:
    with suppress(OSError):
        variables = b"\0" + Path("/proc", str(pid), "environ").read_bytes()
        marks = variables.partition(b"\0" + MARK + b"=")[2].partition(b"\0")[0]
        return any(mark.startswith(run + b".") for mark in marks.split(b" "))
    return False
