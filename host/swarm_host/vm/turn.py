"""Who holds the VM, read from beside it: ``lua/swarm/scheduler/turn.lua`` writes it.

The struct begins with four doubles: ``holder``, ``since``, ``rows`` and ``name_bytes``; ``rows``
names of ``name_bytes`` each follow. ``holder`` is (the worker's id * rows + its name's row) * 8 + a
count of resumes modulo 8, or -1 where no worker has its turn. ``since`` is the monotonic clock at
the scheduler's last look, which it takes at least once in 64 turns.
"""

from __future__ import annotations

import os
import struct
from typing import NamedTuple

from swarm_host.entries import printable

_TURNS = 8
_HEAD = struct.Struct("4d")
_LOADS = b"the script while "


class Turn(NamedTuple):
    """One resume of one worker.

    :ivar number: another for each resume of a worker; it comes round after eight.
    :ivar worker: the worker's number; 0: a script that loads; None: no worker has its turn.
    :ivar name: the worker, as messages name it.
    :ivar since: when it began, in seconds of the monotonic clock.
    """

    number: int
    worker: int | None
    name: str
    since: float


def read_turn(address: int) -> Turn:
    """Whose turn it is.

    :param address: where the struct is (:meth:`swarm_host.vm.kernel.Kernel.turn_address`);
        the VM must be alive.
    """
    head, since, rows, size = _HEAD.unpack(_bytes_at(address, _HEAD.size))
    holder = int(head)
    if holder < 0:
        return Turn(holder, None, "", since)
    worker, row = divmod(holder // _TURNS, int(rows))
    name = _bytes_at(address + _HEAD.size + row * int(size), int(size))
    if name.startswith(_LOADS):
        worker = 0
    return Turn(holder, worker, _label(name, worker), since)


def _bytes_at(address: int, size: int) -> bytes:
    """Bytes of this process. Where the system has a file of them it is read: that needs no memory
    worth speaking of, which may be what has run out, and ``ctypes`` is slow to import."""
    try:
        memory = os.open("/proc/self/mem", os.O_RDONLY)
    except OSError:
        import ctypes

        return ctypes.string_at(address, size)
    try:
        return os.pread(memory, size, address)
    finally:
        os.close(memory)


def _label(name: bytes, worker: int) -> str:
    text = name.split(b"\0", 1)[0].decode(errors="replace")
    shown = printable(text) or "a worker"
    return shown if worker == 0 else f"{shown} (T-{worker})"
