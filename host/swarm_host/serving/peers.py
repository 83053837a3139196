"""Who is at the other end of a connection: a person of this user's, or what the run has started.

A process descends from the run where the host is among its parents. The guardian of the run's
processes takes in those whose parent has ended, so that a process stays below the host whatever it
does: a session of its own, two forks, an empty environment. What cannot be told is no person.
"""

from __future__ import annotations

import os
import select
import socket
import struct
import sys
from contextlib import suppress
from pathlib import Path

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
    pid, user = _credentials(connection)
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


def _credentials(connection: socket.socket) -> tuple[int, int]:
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
    ours = os.getpid()
    for _ in range(_LOOKS):
        at: int | None = pid
        for _ in range(_MOST_DEEP):
            if at == ours:
                return True
            if at in (0, 1):
                return False
            at = _parent(at) if at is not None else None
            if at is None:
                break  # it has ended meanwhile, and its children have another parent now
        if _parent(pid) is None:
            return None
    return None


def _parent(pid: int) -> int | None:
    if sys.platform == "linux":
        try:
            return int(Path("/proc", str(pid), "stat").read_bytes().rpartition(b")")[2].split()[1])
        except (OSError, IndexError, ValueError):
            return None
    import subprocess

    said = subprocess.run(["ps", "-o", "ppid=", "-p", str(pid)], capture_output=True, check=False)
    return int(said.stdout) if said.stdout.strip().isdigit() else None
