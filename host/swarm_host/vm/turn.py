"""Who holds the VM, read from beside it: ``lua/swarm/scheduler/turn.lua`` writes it.

Imported only once somebody asks: ``ctypes`` costs 2 ms of every start.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass

_TURNS = 8


class _Cell(ctypes.Structure):
    """The struct's head; ``rows`` names of ``name_bytes`` each follow it.

    ``holder`` is (the worker's id * rows + its name's row) * 8 + a count of resumes modulo 8, or
    -1 where no worker has its turn. ``since`` is the monotonic clock at the scheduler's last look,
    which it takes at least once in 64 turns.
    """

    _fields_ = (
        ("holder", ctypes.c_double),
        ("since", ctypes.c_double),
        ("rows", ctypes.c_double),
        ("name_bytes", ctypes.c_double),
    )


@dataclass(frozen=True, slots=True)
class Turn:
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
    cell = _Cell.from_address(address)
    holder = int(cell.holder)
    if holder < 0:
        return Turn(holder, None, "", cell.since)
    worker, row = divmod(holder // _TURNS, int(cell.rows))
    size = int(cell.name_bytes)
    name = ctypes.string_at(address + ctypes.sizeof(_Cell) + row * size, size)
    return Turn(holder, worker, _label(name, worker), cell.since)


def _label(name: bytes, worker: int) -> str:
    text = name.split(b"\0", 1)[0].decode(errors="replace")
    shown = "".join(one if one.isprintable() else "?" for one in text) or "a worker"
    return shown if worker == 0 else f"{shown} (T-{worker})"
