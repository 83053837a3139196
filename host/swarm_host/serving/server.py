"""The server of a run's socket."""

from __future__ import annotations

import json
import math
import resource
import socket
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import anyio

from swarm_host.errors import OutOfMemory, SwarmError
from swarm_host.host import Handle, Host
from swarm_host.ports.secrets import MASK
from swarm_host.serving import addresses
from swarm_host.serving.connection import Connection, Room, Unfit
from swarm_host.serving.peers import Stranger, is_person
from swarm_host.serving.reading import NoMessage, Reader
from swarm_host.view.cells import last_line

MOST_CLIENTS = 1024
"""Connections at once, and no more than a quarter of the descriptors that there may be. Further
ones wait until one has ended."""

LEAST_HIDDEN = 16
"""Characters of what is hidden where it stands in a request beside itself."""

_MOST_ROWS = 1000
_PARSE, _INVALID, _REFUSED = -32700, -32600, -32000


class Server:
    """Serves a run's socket.

    :param host: the run.
    :param path: where it listens; the folder of runs where none is given.
    :raises OSError: nobody can listen there.
    :ivar path: where it listens.
    """

    def __init__(self, host: Host, path: Path | None = None) -> None:
        self._host = host
        self._began = time.monotonic()
        self.path = path or addresses.folder() / f"{host.run_id}{addresses.SOCKET}"
        self._listener = addresses.listen(self.path)
        most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        host.listens_at(self.path)
        room = MOST_CLIENTS if most == resource.RLIM_INFINITY else max(8, most // 4)
        self._turns = anyio.CapacityLimiter(min(MOST_CLIENTS, room))
        self._room = Room()
        self._reader = Reader()
        self._waits = False  # somebody, for a turn

    async def serve(self) -> None:
        """Serves until it is cancelled."""
        async with anyio.create_task_group() as tasks:
            while True:
                self._waits = self._turns.available_tokens < 1
                await self._turns.acquire_on_behalf_of(turn := object())
                self._waits = False
                try:
                    client = await self._accept()
                except BaseException:
                    self._turns.release_on_behalf_of(turn)
                    raise
                tasks.start_soon(self._client, client, turn)

    def close(self, how: str) -> None:
        """Listens no longer.

        :param how: how the run ended, for who asks for it later.
        """
        self._host.listens_at(None)
        self._listener.close()
        addresses.end(self.path, how)

    async def _accept(self) -> socket.socket:
        while True:
            try:
                client, _ = self._listener.accept()
            except BlockingIOError:
                await anyio.wait_readable(self._listener)
            except OSError:
                await anyio.sleep(0.1)  # no descriptor is left: it stays in the queue
            else:
                client.setblocking(False)
                return client

    async def _client(self, client: socket.socket, turn: object) -> None:
        connection = Connection(client, self._room, lambda: self._waits)
        try:
            with connection, suppress(OSError, Unfit):
                await self._converse(connection)
        finally:
            self._turns.release_on_behalf_of(turn)

    async def _converse(self, connection: Connection) -> None:
        try:
            person = is_person(connection.socket)
            while (line := await connection.message()) is not None:
                if line.strip():
                    await connection.write(await self._answer(connection, line, person))
        except Stranger as stranger:
            await connection.write(_error(None, _REFUSED, str(stranger)))
        except Unfit as problem:
            await connection.write(_error(None, _INVALID, str(problem)))

    async def _answer(self, connection: Connection, line: bytes, person: bool) -> bytes:
        try:
            asked = await self._reader.read(line)
        except NoMessage as problem:
            return _error(None, _PARSE, str(problem))
        if not isinstance(asked, dict) or not isinstance(asked.get("method"), str):
            return _error(None, _INVALID, 'a request is an object with a "method", a string')
        number = asked.get("id")
        if not _is_id(number):
            return _error(None, _INVALID, 'an "id" is a number or a string')
        params = asked.get("params", {})
        if not isinstance(params, dict):
            return _error(number, _INVALID, '"params" must be an object')
        try:
            params = _without_its_token(params)
        except RecursionError:
            return _error(number, _INVALID, '"params" are nested too deep')
        try:
            if asked["method"] == "read_task_state" and person and not params:
                return _result(number, self._overview())
            handle = self._host.visit(asked["method"], params, person)
        except (SwarmError, OutOfMemory) as problem:
            return _error(number, _REFUSED, str(problem))
        outcome = await self._ended(connection, handle)
        if outcome.status in ("pass", "blocked"):
            return _result(number, outcome.value)
        error = dict(outcome.error or {"code": "internal"})
        if outcome.status == "cancelled":  # whoever serves it was, with the run
            error = {"code": "cancelled", "message": "the run is over"}
        return _error(number, _REFUSED, str(error.get("message")), error)

    async def _ended(self, connection: Connection, handle: Handle) -> Any:
        """Waits for the end of what serves a request; it is cancelled where the client goes."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_until_gone, connection, handle)
            outcome = await handle.wait()
            tasks.cancel_scope.cancel()
        return outcome

    def _overview(self) -> dict[str, Any]:
        host = self._host
        return {
            "run_id": host.run_id,
            "script": host.script,
            "seconds": time.monotonic() - self._began,
            "counts": host.counts(),
            "waiting": host.waiting(),
            "rows": self._rows(),
        }

    def _rows(self) -> list[dict[str, Any]]:
        """The run's tree, each worker with what its program has said last."""
        rows = self._host.kernel.overview(_MOST_ROWS)
        for row in rows:
            row["said"] = last_line(self._host.last_said(row.get("request")))
        return rows


def _is_id(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    return isinstance(value, (int, str, type(None)))


def _without_its_token(params: dict[str, Any]) -> dict[str, Any]:
    """The parameters; the token that comes with them is hidden in all others."""
    token = params.get("token")
    if not isinstance(token, str) or len(token) < LEAST_HIDDEN:
        return params
    others = json.dumps({name: value for name, value in params.items() if name != "token"})
    if token in others:
        others = others.replace(token, MASK.decode())
        return {**json.loads(others), "token": token}
    return params


async def _until_gone(connection: Connection, handle: Handle) -> None:
    await connection.hung_up()
    handle.cancel("the client is gone")


def _result(number: Any, value: Any) -> bytes:
    return _message({"jsonrpc": "2.0", "id": number, "result": value})


def _error(number: Any, code: int, message: str, data: Any = None) -> bytes:
    error = {"code": code, "message": message, **({"data": data} if data is not None else {})}
    return _message({"jsonrpc": "2.0", "id": number, "error": error})


def _message(message: dict[str, Any]) -> bytes:
    return json.dumps(message).encode() + b"\n"
