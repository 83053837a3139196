"""What is called in a file, and with what."""

from __future__ import annotations

from dataclasses import dataclass

from swarm_host.checking.source import Source
from swarm_host.checking.tree import FUNCTIONS, Node

_STEPS = 8
"""Names that a name may stand for, one after another: ``local s = swarm``, ``local t = s``."""

INDEXES = ("dot_index_expression", "bracket_index_expression")


@dataclass(frozen=True, slots=True)
class Call:
    """A call.

    :ivar path: the function, such as ``swarm.spawn``; of a method ``:join``; None: not known.
    :ivar arguments: in order.
    """

    source: Source
    node: Node
    path: str | None
    arguments: tuple[Node, ...]

    def argument(self, place: int) -> Node | None:
        """An argument, from 0."""
        return self.arguments[place] if place < len(self.arguments) else None


def call_at(source: Source, node: Node) -> Call | None:
    """The call that a node is; None: it is none."""
    if node.kind != "function_call":
        return None
    given = node.get("arguments")
    return Call(
        source, node, path_of(source, node.get("name")), tuple(given.children if given else ())
    )


def calls_in(source: Source, nodes: list[Node]) -> list[Call]:
    """The calls among nodes."""
    return [call for node in nodes if (call := call_at(source, node)) is not None]


def path_of(source: Source, node: Node | None, steps: int = _STEPS) -> str | None:
    """How an expression is called from the globals on: ``swarm.fs.read``. A local that stands for
    something else and stays is that: ``local spawn = swarm.spawn``."""
    parts: list[str] = []
    while node is not None and steps > 0:
        steps -= 1
        if node.kind == "method_index_expression":
            method = node.get("method")
            return None if method is None else f":{source.text_of(method)}"
        if node.kind in INDEXES:
            key = key_of(source, node)
            if key is None:
                return None
            parts.append(key)
            node = node.get("table")
        elif node.kind == "identifier" and node.local is None:
            name = source.text_of(node)
            parts.append(name)
            path = ".".join(reversed(parts))
            return path.removeprefix("_G.")
        elif node.kind == "identifier" and node.local is not None:
            node = None if node.local.writes else node.local.value
        elif node.kind == "function_call" and _required(source, node) == "swarm":
            return ".".join(["swarm", *reversed(parts)])
        else:
            return None
    return None


def _required(source: Source, node: Node) -> str | None:
    """The module that a call of ``require`` names."""
    name, given = node.get("name"), node.get("arguments")
    if name is None or given is None or source.text_of(name) != "require":
        return None
    return source.string(given.children[0]) if given.children else None


def required(call: Call) -> str | None:
    """The module that a call requires by its name."""
    return _required(call.source, call.node)


def key_of(source: Source, node: Node) -> str | None:
    """The key of ``t.key`` or ``t["key"]``; None: it is computed."""
    key = node.get("field")
    if key is None:
        return None
    return source.text_of(key) if node.kind == "dot_index_expression" else source.string(key)


def fields_of(source: Source, table: Node | None) -> dict[str | int, Node] | None:
    """What a table has that is written out: names, and places from 1. None: it is no such table, or
    some of it is computed."""
    if table is None or table.kind != "table_constructor":
        return None
    found: dict[str | int, Node] = {}
    place = 0
    for entry in table.children:
        name, value = entry.get("name"), entry.get("value")
        if entry.kind != "field" or value is None:
            return None
        key: str | int | None
        if name is None:
            if value.kind in ("function_call", "vararg_expression"):
                return None  # it may be several
            place += 1
            key = place
        elif name.start == entry.start:
            key = source.text_of(name)
        elif name.kind == "number" and source.text_of(name).isdecimal():
            key = int(source.text_of(name))
        else:
            key = source.string(name)
        if key is None:
            return None
        found[key] = value
    return found


def field_of(source: Source, table: Node | None, wanted: str) -> Node | None:
    """A field that is written out in a table."""
    for entry in table.all("field") if table is not None else ():
        name = entry.get("name")
        if (
            name is not None
            and (source.text_of(name) if name.start == entry.start else source.string(name))
            == wanted
        ):
            return entry.get("value")
    return None


def function_at(node: Node | None) -> Node | None:
    """The function that an expression is: written there, or a local one that stays."""
    if node is not None and node.kind == "identifier" and node.local is not None:
        node = None if node.local.writes else node.local.value
    return node if node is not None and node.kind in FUNCTIONS else None


def own_nodes(function: Node) -> list[Node]:
    """What is in a function and in none inside it."""
    return function.below(into_functions=False)
