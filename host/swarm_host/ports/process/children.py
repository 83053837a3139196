"""Child processes: started in a group of their own, ended to the last member of it.

This is the one place where children are started. Nothing above it knows how: a guardian that
outlives a killed host can take its place.
"""

from __future__ import annotations

import atexit
import os
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import anyio

POLL_SECONDS = 0.01
"""How often what the system does not tell of is looked at."""

START_SECONDS = 1.0
"""How long a start under way may take, for who wants to end all children."""

_live: set[Child] = set()
_starting = threading.Lock()  # a child that is being started is not in _live yet


@dataclass(frozen=True, slots=True)
class Exit:
    """How a child ended: one of both is None. Both are where nobody knows, because somebody else
    has asked the system for it, or SIGCHLD is ignored and the system forgets.

    :ivar code: its exit code.
    :ivar signal: the name of the signal that ended it, such as ``SIGKILL``.
    """

    code: int | None
    signal: str | None


class Child:
    """A running child, leader of its own session and process group.

    :ivar stdin: its standard input as a non-blocking descriptor, or None where it has none.
    :ivar stdout: where its standard output is read, non-blocking.
    :ivar stderr: where its standard error is read, non-blocking.
    """

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._group = process.pid
        self._watching = anyio.Lock()
        self._unknown = False
        self._pidfd: int | None = None
        with suppress(AttributeError, OSError):  # not every system has it
            self._pidfd = os.pidfd_open(process.pid)
        self.stdin = _descriptor(process.stdin)
        self.stdout = _descriptor(process.stdout)
        self.stderr = _descriptor(process.stderr)
        _live.add(self)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    async def exited(self) -> None:
        """Waits until the child itself has ended; others of its group may go on."""
        if self._pidfd is None:
            while not self._has_exited():  # noqa: ASYNC110 - nothing tells of it here
                await anyio.sleep(POLL_SECONDS)
            return
        async with self._watching:  # one at a time may wait for a descriptor
            if self._process.returncode is None:
                await anyio.wait_readable(self._pidfd)
                self._has_exited()  # it has: this takes no time and leaves no zombie

    async def end(self, kill_after: float) -> Exit:
        """Ends the whole group: SIGTERM, then SIGKILL. At once where all have ended already.

        To be called once, where no cancel can reach it; then :meth:`close`.

        :param kill_after: seconds between the two signals.
        :return: how the child itself ended.
        """
        if self._is_alive():
            self._send(signal.SIGTERM)
            self._send(signal.SIGCONT)  # one that is stopped would not hear the other
            with anyio.move_on_after(kill_after):
                await self.exited()
                while self._is_alive():  # noqa: ASYNC110 - nothing tells of a group
                    await anyio.sleep(POLL_SECONDS)
            self.kill()
        await self.exited()
        number = self._process.returncode
        if self._unknown:
            return Exit(None, None)
        if number >= 0:
            return Exit(number, None)
        return Exit(None, _name_of(-number))

    def close_stdin(self) -> None:
        """Lets the child see the end of its input."""
        if self._process.stdin is not None:
            self._process.stdin.close()
            self.stdin = None

    def close(self) -> None:
        """Gives the descriptors back."""
        _live.discard(self)
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()
        if self._pidfd is not None:
            os.close(self._pidfd)
            self._pidfd = None

    def kill(self) -> None:
        """SIGKILL to all of the group, now."""
        if self._is_alive():
            self._send(signal.SIGKILL)

    def _has_exited(self) -> bool:
        if self._process.returncode is None:
            try:
                os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                self._unknown = True  # Popen takes it for 0
        return self._process.poll() is not None

    def _send(self, number: int) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._group, number)

    def _is_alive(self) -> bool:
        """Whether a member of the group runs. The group's id is not given away while one does."""
        try:
            os.killpg(self._group, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True
        return self._process.returncode is None or _runs(self._group)


def start(
    arguments: Sequence[bytes],
    *,
    program: bytes,
    environment: Mapping[bytes, bytes],
    folder: bytes | None,
    has_input: bool,
) -> Child:
    """Starts a child.

    :param arguments: its argument vector, its own name first.
    :param program: the path of what is run.
    :param environment: all of its environment.
    :param folder: its working directory; None: the host's.
    :param has_input: whether it gets a pipe as standard input, or an empty one.
    :raises OSError: the system could not start it.
    """
    with _starting:
        return Child(
            subprocess.Popen(
                arguments,
                executable=program,
                env=environment,
                cwd=folder,
                stdin=subprocess.PIPE if has_input else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                start_new_session=True,
            )
        )


@atexit.register
def kill_all() -> None:
    """SIGKILL to every group that is alive: for a host that ends without clean-up.

    May be called from any thread and from a signal handler.
    """
    for child in tuple(_live):
        child.kill()


def end_all() -> None:
    """:func:`kill_all`, and nothing is started from now on: for a process that ends at once.

    Not to be called by a signal handler: the code that it interrupted may be starting a child.
    """
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


def reap_orphans() -> None:
    """Takes what has ended, is our child, and was started by somebody else: for the first process
    of a container, which gets everybody whose parent has ended."""
    ours = str(os.getpid()).encode()
    with _starting:
        started = {child.pid for child in _live}
        for name in os.listdir("/proc"):  # noqa: PTH208 - names, not paths
            if name.isdigit() and int(name) not in started:
                with suppress(OSError):
                    fields = Path("/proc", name, "stat").read_bytes().rpartition(b")")[2].split()
                    if fields[0] == b"Z" and fields[1] == ours:
                        os.waitpid(int(name), os.WNOHANG)


def _descriptor(pipe: IO[bytes] | None) -> int | None:
    if pipe is None:
        return None
    os.set_blocking(pipe.fileno(), False)
    return pipe.fileno()


def _name_of(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"SIG{number}"


def _runs(group: int) -> bool:
    """Whether a group has a member that is no zombie; where the system does not tell: yes."""
    if not Path("/proc/self/stat").exists():
        return True
    for name in os.listdir("/proc"):  # noqa: PTH208 - names, not paths
        if name.isdigit():
            with suppress(OSError):
                # pid (name) state parent group ...: the name may hold anything, brackets too.
                fields = Path("/proc", name, "stat").read_bytes().rpartition(b")")[2].split()
                if int(fields[2]) == group and fields[0] not in (b"Z", b"X"):
                    return True
    return False
