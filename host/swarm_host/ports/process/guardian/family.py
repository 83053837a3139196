"""Who descends from whom, as the system tells it, and signals to whole families."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import os
import sys
from collections.abc import Iterable

PR_SET_CHILD_SUBREAPER = 36


class Stat:
    """What the system says of a process.

    :raises OSError: there is none.
    """

    def __init__(self, pid: int) -> None:
        with open(f"/proc/{pid}/stat", "rb", 0) as file:  # noqa: PTH123 - pathlib is slow
            # pid (name) state parent group session ...: the name may hold anything, brackets too.
            fields = file.read().rpartition(b")")[2].split()
        self.pid = pid
        self.is_zombie = fields[0] in b"ZX"
        self.parent, self.group, self.session = map(int, fields[1:4])
        self.begun = fields[19]
        # Where its environment begins and ends; zero: it is between two programs.
        self.has_no_variables = fields[47] == fields[48] != b"0"


def become_subreaper() -> bool:
    """Whether who loses its parent below this process is its child from now on, and can be seen."""
    if not sys.platform.startswith("linux") or not os.path.exists("/proc/self/stat"):  # noqa: PTH110
        return False
    try:
        import ctypes

        done: int = ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    except (ImportError, OSError, AttributeError):
        return False
    return done == 0


def children_of(pid: int) -> list[int]:
    """The children of a process, as far as can be seen while they come and go."""
    found: list[int] = []
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):  # noqa: PTH208
            with open(f"/proc/{pid}/task/{thread}/children", "rb", 0) as file:  # noqa: PTH123
                found += map(int, file.read().split())
    except OSError:
        own = os.getpid()
        if not os.path.exists(f"/proc/self/task/{own}/children"):  # noqa: PTH110 - an old kernel
            return [one.pid for one in everybody() if one.parent == pid]
    return found


class Own:
    """Our own children, which are asked for at each end."""

    def __init__(self) -> None:
        self._pid = os.getpid()
        try:
            path = f"/proc/self/task/{self._pid}/children"
            self._file: int | None = os.open(path, os.O_RDONLY)
        except OSError:
            self._file = None  # an old kernel

    def now(self) -> list[int]:
        """Those that there are: nobody but us takes one away meanwhile."""
        if self._file is None:
            return children_of(self._pid)
        data = b""
        while part := os.pread(self._file, 65536, len(data)):
            data += part
        return [int(one) for one in data.split()]


def everybody() -> list[Stat]:
    """All processes."""
    found = []
    for name in os.listdir("/proc"):  # noqa: PTH208
        if name.isdigit():
            try:
                found.append(Stat(int(name)))
            except OSError:
                continue
    return found


def of(pid: int) -> list[Stat]:
    """A process and its descendants."""
    found, left = [], [pid]
    while left:
        one = left.pop()
        try:
            found.append(Stat(one))
        except OSError:
            continue
        left += children_of(one)
    return found


def send(groups: Iterable[int], *numbers: int) -> None:
    """Sends signals to whole groups: nobody in one escapes by forking meanwhile."""
    own = os.getpgid(0)
    for group in groups:
        if group in (0, own):
            continue
        for number in numbers:
            try:
                os.killpg(group, number)
            except OSError:
                break  # it has ended, or runs as somebody else (sudo)


def signal(pids: Iterable[int], number: int) -> None:
    """Sends a signal to single processes."""
    for pid in pids:
        try:  # noqa: SIM105 - contextlib takes long to import
            os.kill(pid, number)
        except OSError:
            pass  # it has ended, or runs as somebody else


def kill(root: int) -> None:
    """SIGKILL to a process and its descendants, now. Who escapes by forking meanwhile has lost its
    parent, and is found again."""
    found = of(root)
    send({one.group for one in found}, _signal.SIGKILL)
    signal([one.pid for one in found], _signal.SIGKILL)  # a group is left in an instant


def may_signal(pid: int) -> bool:
    """Whether a process is there, and we may end it; a negative one is a group."""
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True


def kill_all() -> None:
    """SIGKILL to all our descendants, until none is left that we may end."""
    killed: set[int] = set()
    while True:
        roots = set(children_of(os.getpid()))
        signal(roots - killed, _signal.SIGSTOP)  # or one that forks and ends is never caught
        for root in roots - killed:
            kill(root)
        killed |= roots
        if not any(map(may_signal, roots)):
            return
        flag = 0
        while True:  # the first is waited for
            try:
                pid, _ = os.waitpid(-1, flag)
            except ChildProcessError:
                return
            if pid == 0:
                break
            killed.discard(pid)
            flag = os.WNOHANG
