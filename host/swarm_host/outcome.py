"""What a host tells of what has happened: how a worker ended, what a reload changed.

Named tuples: a frozen dataclass costs every start a millisecond.
"""

from __future__ import annotations

from typing import Any, NamedTuple


class Outcome(NamedTuple):
    """How a worker ended.

    :ivar status: its final status.
    :ivar value: its value as Python data. Of a string of Lua that is not UTF-8, the bytes that are
        not stand as lone surrogates: ``os.fsencode`` gives the string of Lua back.
    :ivar error: the error's fields where it did not pass.
    :ivar main: of a run that something beside main fails: how main itself ended, whose ``value`` is
        the outcome's too.
    """

    status: str
    value: Any
    error: dict[str, Any] | None
    main: Outcome | None = None


class Reloaded(NamedTuple):
    """What a reload changed.

    :ivar generation: the number of the new generation; where nothing took over, of the one that
        stays.
    :ivar added: what is new, such as ``worker count``, ``role reader``, ``main`` or ``hooks``.
    :ivar removed: what is gone.
    :ivar changed: what is made of something else than before.
    :ivar draining: how many workers of older generations are alive, save for ``main``; of a dry
        run, how many would be.
    :ivar seconds: how long it took.
    :ivar switched: whether a generation took over, or would. It does not where no definition has
        changed.
    """

    generation: int
    added: list[str]
    removed: list[str]
    changed: list[str]
    draining: int
    seconds: float
    switched: bool = True
