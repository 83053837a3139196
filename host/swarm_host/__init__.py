"""swarm-host: a host for swarms written in Lua."""

from __future__ import annotations

from swarm_host.version import __version__

TYPE_CHECKING = False  # typing's own takes a while to import, and the command line has no time here
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
    from swarm_host.journal.places import NoJournal
    from swarm_host.options import Options
    from swarm_host.outcome import Outcome, Reloaded
    from swarm_host.ports.python.context import Blocked, WorkerContext, blocked, worker_context
    from swarm_host.ports.python.registered import worker

__all__ = [
    "Blocked",
    "Handle",
    "Host",
    "LoadError",
    "NoJournal",
    "Options",
    "OutOfMemory",
    "Outcome",
    "Reloaded",
    "SwarmError",
    "WorkerBlocked",
    "WorkerCancelled",
    "WorkerContext",
    "WorkerFailed",
    "WorkerTimeout",
    "__version__",
    "blocked",
    "worker",
    "worker_context",
]

_ROOMS = {
    "Handle": "handle",
    "Host": "host",
    "NoJournal": "journal.places",
    "Options": "options",
    "Outcome": "outcome",
    "Reloaded": "outcome",
    "Blocked": "ports.python.context",
    "WorkerContext": "ports.python.context",
    "blocked": "ports.python.context",
    "worker": "ports.python.registered",
    "worker_context": "ports.python.context",
}


def __getattr__(name: str) -> object:
    # Imported when they are asked for: the command line keeps its signals before all else.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_ROOMS.get(name, 'errors')}"), name)
