"""What Python gives to Lua: values as JSON, where what JSON cannot say is named by its place, bytes
and functions."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable
from typing import Any

from swarm_host.errors import SwarmError


def to_json(value: Any, what: str) -> bytes:
    """A value as JSON.

    :param what: what the value is, such as ``input``.
    :raises SwarmError: ``invalid_value``: JSON cannot say it, or Lua cannot read it.
    """
    try:
        return json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
    except (TypeError, ValueError, RecursionError) as problem:
        path, why = _fault(value, what) or (what, str(problem))
        message = f"{path} {why}"
        raise SwarmError({"code": "invalid_value", "message": message, "path": path}) from None


def _fault(value: Any, path: str, around: tuple[int, ...] = ()) -> tuple[str, str] | None:
    """Where the first thing is that JSON cannot say, and what is wrong with it."""
    if id(value) in around:
        return path, "contains itself"
    if len(around) > _DEEPEST:
        return path, f"is nested more than {_DEEPEST} levels deep"
    if isinstance(value, float) and not math.isfinite(value):
        return path, f"is {value}, which JSON cannot say"
    if isinstance(value, str):
        return (path, "is not Unicode text") if _has_surrogates(value) else None
    inside = (*around, id(value))
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str | int | float | bool | None):
                return path, f"has a key that is a {type(key).__name__}; JSON has text"
            if isinstance(key, str) and _has_surrogates(key):
                return path, "has a key that is not Unicode text"
            found = _fault(item, f"{path}[{key!r}]", inside)
            if found:
                return found
        return None
    if isinstance(value, list | tuple):
        for place, item in enumerate(value):
            found = _fault(item, f"{path}[{place}]", inside)
            if found:
                return found
        return None
    if value is None or isinstance(value, bool | int | float):
        return None
    return path, f"is a {type(value).__name__}, which JSON cannot say"


_DEEPEST = 100


def _has_surrogates(text: str) -> bool:
    return any("\ud800" <= char <= "\udfff" for char in text)


LARGE = 256 * 1024
"""Bytes from which on a copy costs more than to find out where they are."""


def passed(data: bytes | bytearray) -> tuple[object, object]:
    """Bytes as Lua is given them: themselves, or where they are and how many. The latter must stay
    until it has copied them."""
    if isinstance(data, bytes):
        return data, None
    if len(data) < LARGE:
        return bytes(data), None
    import ctypes  # slow to import, and few have so much to say

    return ctypes.addressof(ctypes.c_char.from_buffer(data)), len(data)


def never_raises(function: Callable[..., object]) -> Callable[..., object]:
    """Wraps a function for Lua: an exception is printed, never passed into the VM."""

    def call(*arguments: object) -> object:
        try:
            return function(*arguments)
        except BaseException as problem:  # Lua's pcall would swallow any, a cancel included
            print(f"swarm-host: {problem!r} while taking output from Lua", file=sys.stderr)
            return None

    return call
