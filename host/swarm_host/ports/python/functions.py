"""A function that a worker runs: found, looked at, and given its arguments."""

from __future__ import annotations

import difflib
import inspect
import typing
from collections.abc import Callable, Mapping
from inspect import Parameter
from types import ModuleType
from typing import Any

from swarm_host.ports.python.typed import Make, Misfit, Unmade, made, shown, takes_object

NOTHING: Any = object()
"""No input."""

_NAMED = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY)


class Unfit(Exception):
    """It is no function that a worker can run; the message says why."""


def member(module: ModuleType, path: str, module_name: str) -> Any:
    """What a module has under a name, which may have dots.

    :raises Unfit: it has nothing of the name.
    """
    found: Any = module
    for name in path.split("."):
        try:
            found = getattr(found, name)
        except AttributeError:
            known = [word for word in dir(found) if callable(getattr(found, word, None))]
            near = difflib.get_close_matches(name, known, 1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise Unfit(f"module {module_name} has no {path}{hint}") from None
    return found


class Function:
    """A function, and what it takes.

    :param call: what is called.
    :param name: as messages name it.
    :raises Unfit: no worker can run it.
    """

    def __init__(self, call: Any, name: str) -> None:
        if not callable(call):
            raise Unfit(f"{name} is no function: it is {shown(call)}")
        of = call if inspect.isroutine(call) or isinstance(call, type) else call.__call__
        if inspect.isgeneratorfunction(of) or inspect.isasyncgenfunction(of):
            raise Unfit(
                f"{name} is a generator: return a list, or say its items with "
                "swarm_host.worker_context().partial(item)"
            )
        self.call: Callable[..., Any] = call
        self.name = name
        self.is_async = inspect.iscoroutinefunction(call) or inspect.iscoroutinefunction(of)
        self._parameters: dict[str, Parameter] | None = None  # None: it does not tell
        self._makes: dict[str, Make | None] = {}
        self._whole = ""  # the parameter that an object goes to as one
        self._first = ""  # the one that anything else goes to
        self._takes_any = False
        self._look()

    def _look(self) -> None:
        try:
            parameters = list(inspect.signature(self.call).parameters.values())
        except (ValueError, TypeError):
            return
        self._takes_any = any(one.kind is Parameter.VAR_KEYWORD for one in parameters)
        rest = any(one.kind is Parameter.VAR_POSITIONAL for one in parameters)
        named = [one for one in parameters if one.kind in _NAMED]
        self._parameters = {one.name: one for one in named}
        for one in named:
            self._makes[one.name] = self._made(one)
        places = [one for one in named if one.kind is not Parameter.KEYWORD_ONLY]
        if places:
            self._first = places[0].name
        elif rest:
            self._first = "*"
        if len(named) == 1 and places and not self._takes_any:
            one = places[0]
            if one.kind is Parameter.POSITIONAL_ONLY or takes_object(self._hint(one)):
                self._whole = one.name

    def _hint(self, parameter: Parameter) -> Any:
        """What an annotation says.

        :raises Unfit: it cannot be read.
        """
        hint = parameter.annotation
        if hint is Parameter.empty:
            return Any
        if isinstance(hint, str):

            def stub() -> None: ...

            stub.__annotations__ = {"it": hint}
            known = getattr(inspect.unwrap(self.call), "__globals__", {})
            try:
                return typing.get_type_hints(stub, known, include_extras=True)["it"]
            except Exception as problem:
                raise Unfit(
                    f"{self.name}: the annotation of {parameter.name}, {hint}, cannot be read: "
                    f"{problem}"
                ) from None
        return hint

    def _made(self, parameter: Parameter) -> Make | None:
        try:
            return made(self._hint(parameter))
        except Unmade as problem:
            hint = parameter.annotation
            said = hint if isinstance(hint, str) else problem
            text = f"{parameter.name} is annotated {said}, into which no value of Lua's is made"
            if parameter.default is Parameter.empty:
                what = "a dataclass, a TypedDict, a pydantic model, a type of Python's own, or none"
                raise Unfit(f"{self.name}: {text}: it can be {what}") from None

            def refuse(_: Any) -> Any:
                raise Misfit(f"must be left out: {text}")

            return refuse

    def arguments(self, value: Any) -> tuple[list[Any], Mapping[str, Any]]:
        """The arguments that an input becomes.

        :param value: the input, or :data:`NOTHING`.
        :raises Misfit: it does not fit.
        """
        if self._parameters is None:
            if value is NOTHING:
                return [], {}
            return ([], value) if type(value) is dict else ([value], {})
        if type(value) is dict and not (self._whole and value.keys() != {self._whole}):
            return self._by_name(value)
        given: dict[str, Any] = {}
        if value is not NOTHING:
            if self._first == "*":
                return [value], {}
            if not self._first:
                raise Misfit(f"is {shown(value)}, and {self.name} takes no argument")
            make = self._makes[self._first]
            given[self._first] = value if make is None else make(value)
        self._check_missing(given)
        return list(given.values()), {}

    def _by_name(self, value: dict[str, Any]) -> tuple[list[Any], Mapping[str, Any]]:
        assert self._parameters is not None
        given = {}
        for name, item in value.items():
            if name not in self._parameters:
                if not self._takes_any:
                    raise self._unknown(name)
                given[name] = item
                continue
            make = self._makes[name]
            try:
                given[name] = item if make is None else make(item)
            except Misfit as problem:
                problem.steps.insert(0, name)
                raise
        self._check_missing(given)
        places = []
        for name, one in self._parameters.items():
            if one.kind is not Parameter.POSITIONAL_ONLY or name not in given:
                break
            places.append(given.pop(name))
        return places, given

    def _unknown(self, name: str) -> Misfit:
        known = ", ".join(self._parameters or ()) or "none"
        hint = ""
        if len(self._parameters or ()) == 1:
            hint = f"; to get the object whole, annotate it: {known}: dict"
        return Misfit(f"is no argument of {self.name}, which takes {known}{hint}", name)

    def _check_missing(self, given: dict[str, Any]) -> None:
        assert self._parameters is not None
        for name, one in self._parameters.items():
            if name not in given and one.default is Parameter.empty:
                raise Misfit(f"is missing: {self.name} needs it", name)
