"""The ports of a run, by name: those given to it, the built-in ones, and those of other packages.

The built-in ports are named here and nowhere else; the entry-point group ``swarm_host.ports`` is
for other packages.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import import_module

from swarm_host.ports.contract import Port, PortError

GROUP = "swarm_host.ports"

BUILT_IN = {
    "connect": "swarm_host.ports.connect:Connect",
    "env": "swarm_host.ports.env:Env",
    "files": "swarm_host.ports.files.port:Files",
    "http": "swarm_host.ports.http.port:Http",
    "python": "swarm_host.ports.python.port:Python",
    "reuse": "swarm_host.journal.reuse:Reuse",
    "token": "swarm_host.ports.token:Tokens",
    "process": "swarm_host.ports.process.port:Process",
    "worktree": "swarm_host.ports.worktrees.port:Worktrees",
    "schema": "swarm_host.ports.schema:Schemas",
}
"""Each is imported when it is first asked for: most runs need few, and some are dear to import."""


@cache
def _installed() -> tuple[str, ...]:
    """The names of ports that other packages bring."""
    from importlib.metadata import entry_points

    return tuple(entry_points(group=GROUP).names)


class Ports:
    """The ports of a run.

    :param given: ports that go before any other of their name.
    """

    def __init__(self, given: Mapping[str, Port]) -> None:
        self._made = dict(given)

    def names(self) -> list[str]:
        """The names of all ports that there are."""
        return sorted({*self._made, *BUILT_IN, *_installed()})

    def get(self, name: str) -> Port:
        """The port of a name.

        :raises PortError: ``host_error`` where no package brings such a port.
        """
        port = self._made.get(name)
        if port is None:
            port = self._made[name] = _make(name)
        return port

    async def aclose(self) -> None:
        """Ends what ports have that outlives a request: each that has an ``aclose`` is asked."""
        for port in self._made.values():
            close = getattr(port, "aclose", None)
            if close is not None:
                await close()


def _make(name: str) -> Port:
    if name in BUILT_IN:
        module, _, kind = BUILT_IN[name].partition(":")
        built_in: Port = getattr(import_module(module), kind)()
        return built_in
    from importlib.metadata import entry_points

    found = list(entry_points(group=GROUP, name=name))
    if not found:
        raise PortError("host_error", f"no installed package brings a port {name!r}")
    installed: Port = found[0].load()()
    return installed
