"""Who is at the other end of a connection: a person of this user's, or what the run has started.

A process descends from the run where the host is among its parents. Who loses its parent is taken
in by the guardian of the run's processes, and where that was killed, or the parent was a git of the
host's own, by the host (:mod:`swarm_host.ports.process.orphans`): so that a process stays below the
host whatever it does. What cannot be told is no person.
"""

from __future__ import annotations

import math
import os
import select
import socket
import struct
import sys
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

_CREDENTIALS = struct.Struct("3i")
_SO_PEERPIDFD = 77
_LOOKS = 20
_MOST_DEEP = 4096


class Stranger(Exception):
    """Somebody who may not speak to this run; the text says why."""


def is_person(connection: socket.socket) -> bool:
    """Whether the other end is a process of this user that does not descend from this one.

    :raises Stranger: it belongs to another user.
    """
    pid, user = credentials(connection)
    if user != os.geteuid():
        raise Stranger(f"the run belongs to another user than {user}")
    alive = _pidfd(connection)
    try:
        found = _descends(pid)
        if alive is not None and select.select([alive], [], [], 0)[0]:
            return False  # it has ended: the number may be another's by now
        return found is False
    finally:
        if alive is not None:
            os.close(alive)


def credentials(connection: socket.socket) -> tuple[int, int]:
    """The process at the other end (0: it cannot be told), and its user."""
    if hasattr(socket, "SO_PEERCRED"):
        size = _CREDENTIALS.size
        raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
        pid, user, _ = _CREDENTIALS.unpack(raw)
        return pid, user
    local, peer_pid, peer_cred = 0, 2, 1  # SOL_LOCAL, LOCAL_PEERPID, LOCAL_PEERCRED of macOS
    (pid,) = struct.unpack("i", connection.getsockopt(local, peer_pid, 4))
    _, user = struct.unpack_from("Ii", connection.getsockopt(local, peer_cred, 76))
    return pid, user


def _pidfd(connection: socket.socket) -> int | None:
    """What tells whether the process that connected is the one that its number means."""
    if sys.platform != "linux":
        return None
    with suppress(OSError):
        return int(connection.getsockopt(socket.SOL_SOCKET, _SO_PEERPIDFD))
    return None


def _descends(pid: int) -> bool | None:
    """Whether a process is this one, or below it; None: it cannot be told."""
    if pid == 0:
        return None  # of another namespace of processes, and not below ours
    ours = os.getpid()
    for _ in range(_LOOKS):
        at, begun = pid, math.inf
        for _ in range(_MOST_DEEP):
            if at == ours:
                return True
            if at in (0, 1):
                return False
            seen = _seen(at)
            if seen is None or seen.begun > begun:
                break  # it has ended meanwhile: its children have another parent, or it is another
            at, begun = seen.parent, seen.begun
        if _seen(pid) is None:
            return None
    return None


class _Seen(NamedTuple):
    """A process, as the system tells of it.

    :ivar parent: its parent's number.
    :ivar begun: when it began, to compare with others; no child began before its parent.
    """

    parent: int
    begun: float


def _seen(pid: int) -> _Seen | None:
    if sys.platform == "linux":
        try:
            # pid (name) state parent ... begun: the name may hold anything, brackets too.
            fields = Path("/proc", str(pid), "stat").read_bytes().rpartition(b")")[2].split()
            return _Seen(int(fields[1]), int(fields[19]))
        except (OSError, IndexError, ValueError):
            return None
    import subprocess

    said = subprocess.run(["ps", "-o", "ppid=", "-p", str(pid)], capture_output=True, check=False)
    return _Seen(int(said.stdout), 0) if said.stdout.strip().isdigit() else None
