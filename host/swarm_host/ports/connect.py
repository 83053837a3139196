"""Port ``connect``: whether something accepts connections yet. It sends and reads nothing."""

from __future__ import annotations

from typing import Any

import anyio

from swarm_host.ports.contract import Answer, Call, PortError
from swarm_host.ports.hosts import admits_place

TRY_SECONDS = 5.0
"""How long one attempt may take: a host that drops what it is sent would hold it for minutes."""

PAUSE_SECONDS = 0.05
"""Between two attempts."""


class Connect:
    """Tries to connect over TCP, again and again, and hangs up as soon as it could."""

    async def __call__(self, payload: dict[str, Any], call: Call) -> Answer:
        """Answers true once a connection was accepted, or false after all the time that there is.

        :param payload: ``host``, ``port``, ``timeout`` (seconds, for all of it), ``bounds`` (hosts,
            see :func:`~swarm_host.ports.hosts.admits_place`; absent: any).
        :param call: who asks.
        :raises PortError: ``role_violation`` where a bound is in the way (the bridge adds role and
            verb).
        """
        host, port = payload["host"], payload["port"]
        bounds = payload.get("bounds")
        if bounds is not None and not admits_place(bounds, host, port):
            place = f"{host}:{port}"
            raise PortError("role_violation", f"{place} is out of bounds", what=place)
        with anyio.move_on_after(payload["timeout"]):
            await _accepted(host, port)
            return Answer(True)
        return Answer(False)


async def _accepted(host: str, port: int) -> None:
    """Returns once a connection was accepted."""
    while True:
        try:
            with anyio.fail_after(TRY_SECONDS):
                stream = await anyio.connect_tcp(host, port)
        except OSError:  # refused, unknown or unreachable, and TimeoutError
            await anyio.sleep(PAUSE_SECONDS)
        else:
            await stream.aclose()
            return
