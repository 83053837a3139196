"""swarm-host: a host for swarms written in Lua."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from swarm_host.version import __version__

if TYPE_CHECKING:
    from swarm_host.errors import (
        LoadError,
        OutOfMemory,
        SwarmError,
        WorkerBlocked,
        WorkerCancelled,
        WorkerFailed,
        WorkerTimeout,
    )
    from swarm_host.handle import Handle
    from swarm_host.host import Host
    from swarm_host.options import Options
    from swarm_host.outcome import Outcome, Reloaded

__all__ = [
    "Handle",
    "Host",
    "LoadError",
    "Options",
    "OutOfMemory",
    "Outcome",
    "Reloaded",
    "SwarmError",
    "WorkerBlocked",
    "WorkerCancelled",
    "WorkerFailed",
    "WorkerTimeout",
    "__version__",
]

_ROOMS = {"Handle": "handle", "Host": "host", "Options": "options"} | dict.fromkeys(
    ("Outcome", "Reloaded"), "outcome"
)


def __getattr__(name: str) -> object:
    # Imported when they are asked for: the command line has signals to keep before it has time.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_ROOMS.get(name, 'errors')}"), name)
