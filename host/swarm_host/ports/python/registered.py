"""Functions under names of their own: ``@swarm_host.worker("name")``, and the entry-point group
``swarm_host.workers``, by which packages publish theirs."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import entry_points
from typing import Any, TypeVar

from swarm_host.ports.python.modules import generation_of

GROUP = "swarm_host.workers"

F = TypeVar("F", bound=Callable[..., Any])

_BY_NAME: dict[str, dict[str, Callable[..., Any]]] = {}  # generation, or "" → name → function


def worker(name: str) -> Callable[[F], F]:
    """Registers a function under a name, by which ``swarm.worker`` finds it: ``python = "name"``.

    :param name: without a colon: that is for ``module:function``.
    :return: a decorator, which gives the function back as it is.
    :raises TypeError: the name is no text, or what is decorated cannot be called.
    :raises ValueError: the name has a colon or is empty, or another function has it.
    """
    if not isinstance(name, str):
        raise TypeError(f'worker takes a name: @worker("name"), and got {name!r}')
    if not name or ":" in name:
        raise ValueError(f"a worker's name is not empty and has no colon, unlike {name!r}")

    def register(function: F) -> F:
        if not callable(function):
            raise TypeError(f"worker {name!r} must be a function, and is {function!r}")
        known = _BY_NAME.setdefault(generation_of(function.__module__ or ""), {})
        other = known.get(name)
        if other is not None and _whose(other) != _whose(function):
            raise ValueError(
                f"worker {name!r} is {'.'.join(_whose(other))} already: give one another name"
            )
        known[name] = function
        return function

    return register


def _whose(function: Callable[..., Any]) -> tuple[str, str]:
    named = getattr(function, "__qualname__", type(function).__qualname__)
    return str(getattr(function, "__module__", "")), str(named)


def find(name: str, generation: str) -> Callable[..., Any] | None:
    """The function of a name: of the script's modules, of whatever is imported, of the packages
    that publish workers. It may import these.

    :param generation: the package of the script's modules.
    :raises BaseException: whatever a package raised as it was imported.
    """
    found = _known(name, generation)
    if found is not None:
        return found
    for entry in entry_points(group=GROUP, name=name):
        loaded = entry.load()
        if callable(loaded):
            return loaded  # type: ignore[no-any-return]
    for entry in entry_points(group=GROUP):  # a module registers as it is imported
        entry.load()
    return _known(name, generation)


def _known(name: str, generation: str) -> Callable[..., Any] | None:
    return _BY_NAME.get(generation, {}).get(name) or _BY_NAME.get("", {}).get(name)


def names(generation: str) -> list[str]:
    """All names that are known."""
    published = (entry.name for entry in entry_points(group=GROUP))
    return sorted({*_BY_NAME.get(generation, ()), *_BY_NAME.get("", ()), *published})


def forget(generation: str) -> None:
    """A generation's modules are gone."""
    _BY_NAME.pop(generation, None)
