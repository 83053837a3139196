"""Values made into what a function's annotations say: dataclasses, typed dicts, models of
pydantic's, and what Python has of its own."""

from __future__ import annotations

import collections.abc
import dataclasses
import datetime
import decimal
import enum
import json
import pathlib
import types
import typing
import uuid
from collections.abc import Callable
from typing import Any

from swarm_host.ports.python.crossing import is_model

Make = Callable[[Any], Any]
"""Makes a value into what an annotation says, or raises :class:`Misfit`."""

SHOWN = 60
"""Characters of a value in a message."""


class Misfit(Exception):
    """A value is not what an annotation says.

    :ivar message: what is wrong with it, after its name.
    :ivar steps: the way to it: keys, and places from 0.
    """

    def __init__(self, message: str, *steps: str | int) -> None:
        super().__init__(message)
        self.message = message
        self.steps = list(steps)


class Unmade(Exception):
    """No value from Lua can be made into what an annotation says."""


def made(annotation: Any) -> Make | None:
    """What makes a value into what an annotation says; None: it stays as it is.

    :raises Unmade: nothing does.
    """
    return _Making().of(annotation)


def takes_object(annotation: Any) -> bool:
    """Whether an object is made into one thing that an annotation says."""
    annotation = _bare(annotation)
    if _is_typed_dict(annotation) or is_model(annotation):
        return True
    if isinstance(annotation, type) and dataclasses.is_dataclass(annotation):
        return True
    return (typing.get_origin(annotation) or annotation) in _DICTS


def shown(value: Any) -> str:
    """A value in a message."""
    text = json.dumps(value, ensure_ascii=False, default=repr)
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 3]}..."


def _name(annotation: Any) -> str:
    if annotation is None or annotation is type(None):
        return "None"
    if isinstance(annotation, type) and not typing.get_args(annotation):
        return annotation.__name__
    return str(annotation).replace("typing.", "")


def _bare(annotation: Any) -> Any:
    """An annotation without what says nothing of the type."""
    while True:
        origin = typing.get_origin(annotation)
        if origin in (typing.Annotated, typing.Required, typing.NotRequired):
            annotation = typing.get_args(annotation)[0]
        elif isinstance(annotation, typing.NewType):
            annotation = annotation.__supertype__
        elif isinstance(annotation, dataclasses.InitVar):
            annotation = annotation.type
        else:
            return annotation


def _is_typed_dict(annotation: Any) -> bool:
    return isinstance(annotation, type) and hasattr(annotation, "__required_keys__")


def _is_required(kind: Any, name: str, hint: Any) -> bool:
    """Whether a typed dict needs a key. Where annotations are texts, only these tell."""
    origin = typing.get_origin(hint)
    if origin in (typing.Required, typing.NotRequired):
        return origin is typing.Required
    return name in kind.__required_keys__


_DICTS = (dict, collections.abc.Mapping, collections.abc.MutableMapping)
_LISTS = (
    list,
    collections.abc.Sequence,
    collections.abc.MutableSequence,
    collections.abc.Iterable,
    collections.abc.Collection,
)
_SETS: dict[Any, Callable[[Any], Any]] = {set: set, frozenset: frozenset}
_SETS[collections.abc.Set] = frozenset


def _wrong(annotation: Any, value: Any) -> Misfit:
    return Misfit(f"must be {_name(annotation)}, and is {shown(value)}")


def _exactly(kind: type) -> Make:
    def make(value: Any) -> Any:
        if type(value) is not kind:
            raise _wrong(kind, value)
        return value

    return make


def _integer(value: Any) -> int:
    if type(value) is int:
        return value
    if type(value) is float and value.is_integer():
        return int(value)
    raise _wrong(int, value)


def _float(value: Any) -> float:
    if type(value) is float or type(value) is int:
        return float(value)
    raise _wrong(float, value)


def _bytes(value: Any) -> bytes:
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return value.encode()
    raise _wrong(bytes, value)


def _of_text(kind: Any, read: Callable[[str], Any]) -> Make:
    def make(value: Any) -> Any:
        if isinstance(value, kind):
            return value
        if not isinstance(value, str):
            raise _wrong(kind, value)
        try:
            return read(value)
        except (ValueError, ArithmeticError):
            raise _wrong(kind, value) from None

    return make


def _seconds(value: Any) -> datetime.timedelta:
    if type(value) in (int, float):
        return datetime.timedelta(seconds=value)
    raise Misfit(f"must be a number of seconds, and is {shown(value)}")


def _decimal(value: Any) -> decimal.Decimal:
    if type(value) in (int, float, str):
        try:
            return decimal.Decimal(str(value))
        except decimal.InvalidOperation:
            pass
    raise _wrong(decimal.Decimal, value)


_PLAIN: dict[Any, Make] = {
    str: _exactly(str),
    bool: _exactly(bool),
    int: _integer,
    float: _float,
    bytes: _bytes,
    None: _exactly(type(None)),
    type(None): _exactly(type(None)),
    datetime.timedelta: _seconds,
    decimal.Decimal: _decimal,
    uuid.UUID: _of_text(uuid.UUID, uuid.UUID),
    datetime.datetime: _of_text(datetime.datetime, datetime.datetime.fromisoformat),
    datetime.date: _of_text(datetime.date, datetime.date.fromisoformat),
    datetime.time: _of_text(datetime.time, datetime.time.fromisoformat),
    pathlib.Path: _of_text(pathlib.Path, pathlib.Path),
    pathlib.PurePath: _of_text(pathlib.PurePath, pathlib.PurePath),
}


class _Making:
    """What makes values, for one annotation and all within: a type that contains itself is made
    once."""

    def __init__(self) -> None:
        self._known: dict[Any, Make] = {}

    def of(self, annotation: Any) -> Make | None:
        annotation = _bare(annotation)
        if annotation in (Any, object) or isinstance(annotation, typing.TypeVar):
            return None
        try:
            known = _PLAIN.get(annotation) or self._known.get(annotation)
        except TypeError:  # a Literal of what has no hash
            known = None
        return known or self._generic(annotation)

    def _generic(self, annotation: Any) -> Make | None:
        origin, items = typing.get_origin(annotation) or annotation, typing.get_args(annotation)
        if origin in (typing.Union, types.UnionType):
            return self._union(annotation, items)
        if origin is typing.Literal:
            return _one_of(annotation, items)
        if origin in _LISTS:
            return self._list(annotation, items[0] if items else Any, list)
        if origin in _SETS:
            return self._list(annotation, items[0] if items else Any, _SETS[origin])
        if origin is tuple:
            return self._tuple(annotation, items)
        if origin in _DICTS:
            return self._dict(annotation, items)
        if is_model(annotation):
            return _of_model(annotation)
        if isinstance(annotation, type) and issubclass(annotation, enum.Enum):
            return _of_enum(annotation)
        if _is_typed_dict(annotation):
            hints = typing.get_type_hints(annotation, include_extras=True)
            required = {
                name for name, hint in hints.items() if _is_required(annotation, name, hint)
            }
            return self._fields(annotation, hints, required, dict)
        if isinstance(annotation, type) and dataclasses.is_dataclass(annotation):
            return self._dataclass(annotation)
        raise Unmade(_name(annotation))

    def _union(self, annotation: Any, items: tuple[Any, ...]) -> Make | None:
        makes = []
        for item in items:
            try:
                makes.append(self.of(item))
            except Unmade:
                continue  # another may do
        if not makes:
            raise Unmade(_name(annotation))
        if None in makes:
            return None

        def make(value: Any) -> Any:
            problems = []
            for one in makes:
                assert one is not None
                try:
                    return one(value)
                except Misfit as problem:
                    problems.append(problem)
            deep = [problem for problem in problems if problem.steps]
            if len(deep) == 1:  # it was meant to be that, and something in it is wrong
                raise deep[0]
            raise _wrong(annotation, value)

        return make

    def _list(self, annotation: Any, item: Any, collect: Callable[[Any], Any]) -> Make:
        one = self.of(item)

        def make(value: Any) -> Any:
            if value == {}:
                value = []  # Lua's {} is either
            if not isinstance(value, list):
                raise _wrong(annotation, value)
            if one is not None:
                value = [_at(place, one, item) for place, item in enumerate(value)]
            return collect(value)

        return make

    def _tuple(self, annotation: Any, items: tuple[Any, ...]) -> Make:
        if not items or (len(items) == 2 and items[1] is ...):
            return self._list(annotation, items[0] if items else Any, tuple)
        makes = [self.of(item) for item in items]

        def make(value: Any) -> Any:
            if not isinstance(value, list) or len(value) != len(makes):
                raise _wrong(annotation, value)
            pairs = enumerate(zip(makes, value, strict=True))
            return tuple(item if one is None else _at(at, one, item) for at, (one, item) in pairs)

        return make

    def _dict(self, annotation: Any, items: tuple[Any, ...]) -> Make:
        key, one = (self.of(item) for item in items or (Any, Any))

        def make(value: Any) -> Any:
            if value == []:
                value = {}
            if not isinstance(value, dict):
                raise _wrong(annotation, value)
            if key is not None:
                value = {_at(name, key, name): item for name, item in value.items()}
            if one is not None:
                value = {name: _at(name, one, item) for name, item in value.items()}
            return value

        return make

    def _dataclass(self, kind: Any) -> Make:
        hints = typing.get_type_hints(kind, include_extras=True)
        fields = [field for field in dataclasses.fields(kind) if field.init]
        missing = dataclasses.MISSING
        required = {
            field.name
            for field in fields
            if field.default is missing and field.default_factory is missing
        }
        return self._fields(
            kind, {field.name: hints[field.name] for field in fields}, required, kind
        )

    def _fields(
        self, kind: Any, hints: dict[str, Any], required: Any, build: Callable[..., Any]
    ) -> Make:
        """What has fields by name."""
        makes: dict[str, Make | None] = {}

        def make(value: Any) -> Any:
            if type(value) is not dict:
                if isinstance(value, kind if build is not dict else ()):
                    return value
                if value != []:
                    raise _wrong(kind, value)
                value = {}
            for name in value:
                if name not in makes:
                    raise Misfit(f"is no field of {kind.__name__}: {', '.join(makes)}", name)
            for name in required:
                if name not in value:
                    raise Misfit(f"is missing: {kind.__name__} needs it", name)
            given = {}
            for name, item in value.items():
                one = makes[name]
                given[name] = item if one is None else _at(name, one, item)
            try:
                return build(**given)
            except ValueError as problem:  # a check of its own
                raise Misfit(f"is no {kind.__name__}: {problem}") from None

        self._known[kind] = make
        makes.update({name: self.of(hint) for name, hint in hints.items()})
        return make


def _at(step: str | int, make: Make, value: Any) -> Any:
    """Makes one item; a misfit knows the way to it."""
    try:
        return make(value)
    except Misfit as problem:
        problem.steps.insert(0, step)
        raise


def _one_of(annotation: Any, items: tuple[Any, ...]) -> Make:
    def make(value: Any) -> Any:
        for item in items:
            if type(item) is type(value) and item == value:
                return item
        raise Misfit(f"must be one of {', '.join(map(repr, items))}, and is {shown(value)}")

    return make


def _of_enum(kind: type[enum.Enum]) -> Make:
    def make(value: Any) -> Any:
        try:
            return kind(value)
        except ValueError:
            known = ", ".join(shown(one.value) for one in kind)
            raise Misfit(f"must be one of {known}, and is {shown(value)}") from None

    return make


def _of_model(kind: Any) -> Make:
    def make(value: Any) -> Any:
        from pydantic import ValidationError

        try:
            return kind.model_validate(value)
        except ValidationError as problem:
            first = problem.errors(include_url=False)[0]
            steps = [step for step in first["loc"] if isinstance(step, str | int)]
            raise Misfit(f"does not fit {kind.__name__}: {first['msg']}", *steps) from None

    return make
