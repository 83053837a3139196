"""The contract of a port.

A port answers the requests that Lua sends it. Write a class with an async ``__call__`` and name it
in the entry-point group ``swarm_host.ports``; Lua then reaches it under the entry point's name.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import anyio


async def _to_nobody(event: Any, data: bytes | None = None) -> None:
    """Where nobody listens."""


async def _from_nobody() -> tuple[Any, bytes | None]:
    """Where nobody talks."""
    await anyio.sleep_forever()
    raise AssertionError


def _say_to_nobody(stream: str, data: bytes) -> None:
    """Where nobody watches."""


@dataclass(frozen=True, slots=True)
class Call:
    """Who asks.

    :ivar id: the request's number within the run.
    :ivar data: bytes that came beside the payload, as they are.
    :ivar emit: ``await call.emit(event, data)`` hands an event (anything that JSON can say) and
        bytes to the caller before the answer, in order. It waits until the caller has begun with
        the one before: a caller that is slow holds the port back, and so a stream stays bounded.
    :ivar receive: ``event, data = await call.receive()`` waits for the next thing that the caller
        tells its request while it is under way. Nothing holds a caller back: what is not received
        is kept, so say in events when there is room for more.
    :ivar say: ``call.say(stream, data)`` shows people who watch the run what the port is at:
        ``err`` is what a program writes to its standard error, ``out`` what it writes to its
        standard output, or ``items`` where that is for programs; the live view has the last line
        of the first two. It never waits.
    """

    id: int
    data: bytes | None = None
    emit: Callable[[Any, bytes | None], Awaitable[None]] = field(default=_to_nobody, compare=False)
    receive: Callable[[], Awaitable[tuple[Any, bytes | None]]] = field(
        default=_from_nobody, compare=False
    )
    say: Callable[[str, bytes], None] = field(default=_say_to_nobody, compare=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a port answers.

    :ivar value: anything that JSON can say; Lua gets it as its own values.
    :ivar data: bytes that Lua gets as a string, as they are; two of them as two strings. What is
        large is best given as the bytearray that it was gathered in: it is copied once.
    """

    value: Any = None
    data: bytes | bytearray | tuple[bytes | bytearray, bytes | bytearray] | None = None


class PortError(Exception):
    """What a port raises for the author to see; anything else is a fault of the port.

    :param code: one of the codes of the Lua contract, such as ``io_error``.
    :param message: one sentence: what was wrong, and what to do.
    :param fields: what belongs to the code, such as ``path``.
    """

    def __init__(self, code: str, message: str, **fields: Any) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.fields = fields


class Port(Protocol):
    """An async function from a payload to an answer.

    It runs in a task of its own. When the worker that asked is cancelled the task is cancelled; the
    worker goes on once the port's clean-up has ended.
    """

    async def __call__(self, payload: dict[str, Any], call: Call) -> Answer:
        """Answers one request.

        :param payload: what Lua sent.
        :param call: who asks, and the bytes that came along.
        :raises PortError: for what the author can do something about.
        """
        ...
