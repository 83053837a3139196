"""swarm-host: a host for swarms written in Lua."""

from swarm_host.errors import (
    LoadError,
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
from swarm_host.version import __version__

__all__ = [
    "Handle",
    "Host",
    "LoadError",
    "Options",
    "Outcome",
    "Reloaded",
    "SwarmError",
    "WorkerBlocked",
    "WorkerCancelled",
    "WorkerFailed",
    "WorkerTimeout",
    "__version__",
]
