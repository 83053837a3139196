"""Values between Lua and Python, as text: JSON where JSON alone can say a value. Else it begins
with a blank, and what JSON cannot say stands in objects of one key
(``lua/swarm/values/exact.lua``)."""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import json
import math
import sys
import uuid
from collections.abc import Mapping, Set
from pathlib import Path, PurePath
from typing import Any

from swarm_host.errors import SwarmError

DEEPEST = 100
"""Levels of one value; what contains itself has more."""

MOST_INTEGER = 2**53
"""Above it Lua's numbers leave integers out."""

MOST_AT_ONCE = 2_000
"""Items of a value that are looked at without a thread: those take about a millisecond."""

# From Lua. ---------------------------------------------------------------------------------------


def read(text: bytes) -> Any:
    """The value of a text of Lua's: a string that is not UTF-8 is bytes, a file is a path."""
    return _read(json.loads(text)) if text[:1] == b" " else json.loads(text)


def _read(value: Any) -> Any:
    if isinstance(value, list):
        return [_read(item) for item in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        ((key, item),) = value.items()
        special = _READ.get(key)
        if special is not None:
            return special(item)
    return {key: _read(item) for key, item in value.items()}


_READ: dict[str, Any] = {
    "$bytes": bytes.fromhex,
    "$array": _read,
    "$object": _read,
    "$file": lambda parts: Path(_text(_read(parts[0]))),
    "$pairs": lambda pairs: {_text(_read(key)): _read(item) for key, item in pairs},
    "$error": lambda parts: _read(parts[1]),
    "$kept": lambda parts: _read(parts[1]),
}


def _text(value: str | bytes) -> str:
    return value.decode(errors="surrogateescape") if isinstance(value, bytes) else value


# To Lua. -----------------------------------------------------------------------------------------


class Large(Exception):
    """A value has more items than are looked at without a thread."""


class _Odd(Exception):
    """JSON alone cannot say it."""


def write(value: Any, what: str, most: float = math.inf) -> bytes:
    """The text of a value.

    :param what: what it is called in a message, such as ``result``.
    :param most: items that may be looked at.
    :raises SwarmError: ``invalid_value``, with the ``path`` in Python's words.
    :raises Large: it has more.
    """
    kind = type(value)
    if (kind is str and value.isascii()) or value is None or kind is bool:
        return json.dumps(value).encode()
    try:
        return _Walk(what, most, odd=False).text(value)
    except _Odd:
        return _Walk(what, most, odd=True).text(value)


def _refuse(path: str, why: str) -> SwarmError:
    return SwarmError({"code": "invalid_value", "message": f"{path} {why}", "path": path})


class _Walk:
    """One walk through a value, which copies it as what JSON can say.

    :param odd: what JSON cannot say is there, and gets its objects of one key.
    """

    def __init__(self, what: str, most: float, *, odd: bool) -> None:
        self._what = what
        self._left = most
        self._odd = odd

    def text(self, value: Any) -> bytes:
        text = json.dumps(self.copy(value, (self._what,)), ensure_ascii=False).encode()
        return b" " + text if self._odd else text

    def copy(self, value: Any, path: tuple[str, ...]) -> Any:
        self._left -= 1
        if self._left < 0:
            raise Large
        kind = type(value)
        if kind is str:
            return value if value.isascii() else self._string(value, path)
        if value is None or kind is bool:
            return value
        if kind is int:
            return self._integer(value, path)
        if kind is float:
            return self._number(value, path)
        if len(path) > DEEPEST:
            raise _refuse("".join(path[:4]), f"is nested more than {DEEPEST} levels deep")
        if kind is dict:
            return self._mapping(value, path)
        if kind is list or kind is tuple:
            return self._list(value, path)
        return self._other(value, path)

    def _string(self, value: str, path: tuple[str, ...]) -> Any:
        try:
            value.encode()
        except UnicodeEncodeError:
            try:
                return self._bytes(value.encode(errors="surrogateescape"))
            except UnicodeEncodeError:
                raise _refuse("".join(path), "is not Unicode text") from None
        return value

    def _bytes(self, value: bytes) -> Any:
        try:
            return value.decode()
        except UnicodeDecodeError:
            if not self._odd:
                raise _Odd from None
            return {"$bytes": value.hex()}

    def _integer(self, value: int, path: tuple[str, ...]) -> int:
        if -MOST_INTEGER <= value <= MOST_INTEGER:
            return value
        raise _refuse(
            "".join(path), "is an integer beyond 2^53, which Lua cannot hold: give its text"
        )

    def _number(self, value: float, path: tuple[str, ...]) -> float:
        if math.isfinite(value):
            return value
        raise _refuse("".join(path), f"is {value}, which cannot cross")

    def _list(self, value: Any, path: tuple[str, ...]) -> Any:
        copied = [self.copy(item, (*path, f"[{place}]")) for place, item in enumerate(value)]
        return {"$array": []} if self._odd and not copied else copied

    def _mapping(self, value: Mapping[Any, Any], path: tuple[str, ...]) -> Any:
        copied, odd = {}, False
        for key, item in value.items():
            if isinstance(key, enum.Enum):
                key = key.value
            if not isinstance(key, str):
                why = f"has the key {key!r}, a {type(key).__name__}: write str({key!r})"
                raise _refuse("".join(path), why)
            copied[key] = self.copy(item, (*path, f"[{key!r}]"))
            odd = odd or key[:1] == "$" or not _is_unicode(key)
        if not odd:
            return copied
        if not self._odd:
            raise _Odd
        return {"$pairs": [[self._string(key, path), item] for key, item in copied.items()]}

    def _other(self, value: Any, path: tuple[str, ...]) -> Any:
        """What is no type of JSON's, and stands for one that is."""
        if isinstance(value, enum.Enum):
            return self.copy(value.value, path)
        if isinstance(value, bytes | bytearray | memoryview):
            return self._bytes(bytes(value))
        if isinstance(value, str):
            return self._string(str.__str__(value), path)
        if isinstance(value, int):
            return self._integer(int(value), path)
        if isinstance(value, float):
            return self._number(float(value), path)
        if is_model(type(value)):
            return self.copy(value.model_dump(mode="json"), path)
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            fields = dataclasses.fields(value)
            return {
                field.name: self.copy(getattr(value, field.name), (*path, f".{field.name}"))
                for field in fields
            }
        if isinstance(value, Mapping):
            return self._mapping(value, path)
        if isinstance(value, list | tuple):
            return self._list(value, path)
        if isinstance(value, Set):
            copied = [self.copy(item, (*path, "{…}")) for item in value]
            return self._list(sorted(copied, key=json.dumps), path)
        if isinstance(value, datetime.datetime | datetime.date | datetime.time):
            return value.isoformat()
        if isinstance(value, datetime.timedelta):
            return value.total_seconds()
        if isinstance(value, PurePath | uuid.UUID | decimal.Decimal):
            return self._string(str(value), path)
        raise _refuse("".join(path), _why_not(value))


def _is_unicode(text: str) -> bool:
    return text.isascii() or not any("\ud800" <= char <= "\udfff" for char in text)


def is_model(kind: object) -> bool:
    """Whether a type is a model of pydantic's, which is not imported for that."""
    pydantic = sys.modules.get("pydantic")
    model = getattr(pydantic, "BaseModel", None)
    return model is not None and isinstance(kind, type) and issubclass(kind, model)


def _why_not(value: object) -> str:
    kind = type(value).__name__
    if hasattr(value, "__await__"):
        return f"is a {kind}, which nobody awaits: write async def, or await it"
    if hasattr(value, "__next__") or hasattr(value, "__anext__"):
        return (
            f"is a {kind}, which cannot cross: return a list, or say its items with "
            "worker_context().partial(item)"
        )
    return (
        f"is a {kind}, which cannot cross: make it a dict, a list, text, bytes, a number, or a "
        "dataclass"
    )
