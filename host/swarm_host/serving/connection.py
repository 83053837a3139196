"""One connection to a run's socket: messages come in and answers go out, a line each, and neither
holds up the run or other connections."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from contextlib import suppress

import anyio
import anyio.lowlevel

from swarm_host.serving.client import MOST_FRAME

MOST_HELD = 8 * MOST_FRAME
"""Bytes of all connections together that have come and nobody has taken yet, or are to go, beside
the first :data:`_CHUNK` of each: who says little is always heard."""

IDLE_SECONDS = 30.0
"""Who has said nothing for so long gives way to others."""

MESSAGE_SECONDS = 30.0
"""How long a message may take from its first byte to its last, and an answer to be read."""

_CHUNK = 65536


class Unfit(Exception):
    """What comes is no message; the text says why. The connection ends."""


class Room:
    """What all connections together hold.

    :ivar held: bytes.
    """

    def __init__(self) -> None:
        self.held = 0

    def take(self, size: int) -> None:
        """Takes so many bytes; fewer than none: gives them back.

        :raises Unfit: there is no room for them.
        """
        if size > 0 and self.held + size > MOST_HELD:
            raise Unfit("too much is under way on the connections to this run: try again later")
        self.held += size


class Connection:
    """A connection, for a ``with`` block, which closes it.

    :param client: the socket; it does not block.
    :param room: of all connections.
    :param is_awaited: whether somebody else waits for the place of this one.
    """

    def __init__(self, client: socket.socket, room: Room, is_awaited: Callable[[], bool]) -> None:
        self.socket = client
        self._room = room
        self._is_awaited = is_awaited
        self._kept = bytearray()
        self._held = 0

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_: object) -> None:
        self._hold(-self._held)
        self.socket.close()

    async def message(self) -> bytes | None:
        """The next message; None: there is none any more.

        :raises Unfit: it is too long, or takes too long.
        :raises OSError: the connection is broken.
        """
        await anyio.lowlevel.checkpoint()  # however many have come at once
        searched, began = 0, time.monotonic()
        while True:
            end = self._kept.find(b"\n", searched)
            if (end if end >= 0 else len(self._kept)) > MOST_FRAME:
                raise Unfit(f"a message has at most {MOST_FRAME} bytes")
            if end >= 0:
                line = bytes(self._kept[:end])
                del self._kept[: end + 1]
                self._hold(-end - 1)
                return line
            searched = len(self._kept)
            if not searched:
                began = time.monotonic()
            left = began + MESSAGE_SECONDS - time.monotonic() if searched else IDLE_SECONDS
            with anyio.move_on_after(max(left, 0)) as limit:
                if not await self._receive():
                    return None
            if limit.cancelled_caught and searched:
                raise Unfit(f"a message comes whole within {MESSAGE_SECONDS:g} s")
            if limit.cancelled_caught and self._is_awaited():
                return None

    async def hung_up(self) -> None:
        """Waits until the other end has hung up. What it sends meanwhile is kept for later."""
        with suppress(OSError, Unfit):
            while await self._receive():
                if len(self._kept) > MOST_FRAME:
                    await anyio.sleep_forever()  # it would have to be read, to see that it is gone

    async def write(self, data: bytes) -> None:
        """Writes an answer.

        :raises OSError: nobody reads it, or not soon enough.
        :raises Unfit: too much is under way already.
        """
        self._hold(len(data))
        try:
            left = memoryview(data)
            with anyio.fail_after(MESSAGE_SECONDS):
                while left:
                    try:
                        left = left[self.socket.send(left) :]
                    except BlockingIOError:
                        await anyio.wait_writable(self.socket)
                    else:
                        await anyio.lowlevel.checkpoint()
        finally:
            self._hold(-len(data))

    async def _receive(self) -> bool:
        """Waits for bytes and keeps them. False: no more will come."""
        await anyio.lowlevel.checkpoint()  # however fast they come
        while True:
            self._hold(_CHUNK)
            data = b""
            try:
                data = self.socket.recv(_CHUNK)
                self._kept += data
                return bool(data)
            except BlockingIOError:
                pass
            finally:
                self._hold(len(data) - _CHUNK)
            await anyio.wait_readable(self.socket)

    def _hold(self, more: int) -> None:
        before, after = (max(0, held - _CHUNK) for held in (self._held, self._held + more))
        self._room.take(after - before)
        self._held += more
