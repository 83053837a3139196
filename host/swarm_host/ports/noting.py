"""A digest of what a port has answered, by which it is known whether it would answer the same."""

from __future__ import annotations

import json
from hashlib import sha256

import anyio

from swarm_host.ports.contract import Answer, PortError

LARGE = 1 << 20
"""Bytes that are digested in a thread."""


async def digest_of(answer: Answer | PortError) -> str:
    """The digest of an answer, or of a refusal."""
    if isinstance(answer, PortError):
        return f"error {answer.code} {answer.fields.get('reason', '')}"
    data = answer.data
    parts = data if isinstance(data, tuple) else () if data is None else (data,)
    value = json.dumps(answer.value, sort_keys=True).encode()
    if sum(map(len, parts)) > LARGE:
        return await anyio.to_thread.run_sync(_digest, value, parts)
    return _digest(value, parts)


def _digest(value: bytes, parts: tuple[bytes | bytearray, ...]) -> str:
    whole = sha256(value)
    for part in parts:
        whole.update(b"%d:" % len(part))
        whole.update(part)
    return whole.hexdigest()
