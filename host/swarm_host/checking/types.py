"""What calls take, as ``lua/types`` has it: the options of a call, and the words of an option.

The definitions for editors are read, and nothing else says it a second time: a test holds them
against a running host. Of a type it is kept what a text and a table can be looked up in.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from swarm_host.vm import lua_folder


@dataclass(frozen=True, slots=True)
class Word:
    """A text that is written out."""

    text: str


@dataclass(frozen=True, slots=True)
class Named:
    """A class, an alias, or a type of Lua's own."""

    name: str


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list."""

    item: Type


@dataclass(frozen=True, slots=True)
class MapOf:
    """A table whose fields have names of a script's own."""

    item: Type


@dataclass(frozen=True, slots=True)
class Shape:
    """A table of these fields and no others: names, and places as ``[1]`` and ``[integer]``."""

    fields: dict[str, Type]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """One of several."""

    types: tuple[Type, ...]


Type = Word | Named | ListOf | MapOf | Shape | AnyOf

FUNCTION, TABLE = Named("function"), Named("table")

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|\.\.\.|[\w.]+|[^\s]')


class _Parser:
    """Reads one type; what follows it is left."""

    def __init__(self, text: str) -> None:
        self._tokens = _TOKEN.findall(text)
        self._at = 0

    def _next(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _take(self, token: str | None = None) -> str:
        taken = self._next()
        if token is not None and taken != token:
            raise ValueError(f"{token} is missing at {self._tokens[self._at :]}")
        self._at += 1
        return taken

    def union(self) -> Type:
        types = [self._postfixed()]
        while self._next() == "|":
            self._take()
            types.append(self._postfixed())
        return types[0] if len(types) == 1 else AnyOf(tuple(types))

    def _postfixed(self) -> Type:
        one = self._one()
        while self._next() in ("[", "?"):
            if self._take() == "[":
                self._take("]")
                one = ListOf(one)
        return one

    def _one(self) -> Type:
        token = self._take()
        if token == "(":
            inner = self.union()
            self._take(")")
            return inner
        if token == "{":
            return self._shape()
        if token == "fun":
            self._function()
            return FUNCTION
        if token == "table" and self._next() == "<":
            return self._map()
        return Word(token[1:-1]) if token.startswith('"') else Named(token)

    def _skip(self, opening: str, closing: str) -> None:
        depth = 0
        while True:
            token = self._take()
            depth += (token == opening) - (token == closing)
            if depth == 0:
                return

    def _function(self) -> None:
        self._skip("(", ")")
        while self._next() in (":", ","):
            self._take()
            self.union()
            if self._next() == "...":
                self._take()

    def _map(self) -> Type:
        self._take("<")
        self.union()
        self._take(",")
        item = self.union()
        self._take(">")
        return MapOf(item)

    def _shape(self) -> Type:
        fields: dict[str, Type] = {}
        while self._next() != "}":
            key = self._take()
            if key == "[":
                key = f"[{self._take()}]"
                self._take("]")
            if self._next() == "?":
                self._take()
            self._take(":")
            fields[key] = self.union()
            if self._next() == ",":
                self._take()
        self._take("}")
        return Shape(fields) if fields.pop("[string]", None) == Named("nil") else TABLE


def parsed(text: str) -> Type:
    """The type that a text begins with."""
    return _Parser(text).union()


@dataclass(slots=True)
class Types:
    """All that is declared.

    :ivar calls: the types of the arguments, by path: ``swarm.join``; of a method
        ``swarm.Handle:join``.
    :ivar hands_back: the class that a call hands back, where it is one.
    :ivar aliases: name → what it stands for.
    :ivar parents: class → the classes that it extends.
    """

    calls: dict[str, tuple[Type, ...]] = field(default_factory=dict)
    hands_back: dict[str, str] = field(default_factory=dict)
    aliases: dict[str, Type] = field(default_factory=dict)
    parents: dict[str, list[str]] = field(default_factory=dict)

    def method(self, of: str, name: str) -> tuple[Type, ...] | None:
        """The types of the arguments of a method; None: the class has none of that name."""
        found = self.calls.get(f"{of}:{name}")
        for parent in self.parents.get(of, ()):
            found = found or self.method(parent, name)
        return found

    def choices(self, of: Type, whole: Container[str] = ()) -> Iterator[Type]:
        """What a type may be, one by one.

        :param whole: aliases that stay as they are.
        """
        if isinstance(of, AnyOf):
            for one in of.types:
                yield from self.choices(one, whole)
        elif isinstance(of, Named) and of.name in self.aliases and of.name not in whole:
            yield from self.choices(self.aliases[of.name], whole)
        else:
            yield of


_TAG = re.compile(r"---@(\w+) ?(.*)")
_FUNCTION = re.compile(r"function (\w+)([.:]?)(\w*)\((.*)\) end")
_TABLE = re.compile(r"(?:local )?(\w+) = \{\}")
_CASE = re.compile(r'---\| ("(?:[^"\\]|\\.)*")')


class _Reader:
    """Takes in files, line by line."""

    def __init__(self) -> None:
        self.types = Types()
        self._faces: dict[str, str] = {}  # class → how scripts write it
        self._owner = ""
        self._parameters: list[Type] = []
        self._back = ""

    def take(self, path: Path) -> None:
        tables: dict[str, str] = {}  # of this file → its class
        alias = ""
        for line in path.read_text().splitlines():
            if case := _CASE.match(line):
                before = self.types.aliases.get(alias)
                cases = before.types if isinstance(before, AnyOf) else ()
                self.types.aliases[alias] = AnyOf((*cases, Word(case[1][1:-1])))
            elif tag := _TAG.match(line):
                if tag[1] == "alias":
                    alias, _, shape = tag[2].partition(" ")
                    self.types.aliases[alias] = parsed(shape) if shape else AnyOf(())
                else:
                    self._tag(tag[1], tag[2])
            elif made := _FUNCTION.fullmatch(line):
                self._function(tables.get(made[1], made[1]), made[2], made[3])
            elif made := _TABLE.fullmatch(line):
                tables[made[1]] = self._owner
                if not line.startswith("local"):
                    self._faces[self._owner] = made[1]
            if not line.startswith("---"):
                self._parameters, self._back = [], ""

    def _tag(self, kind: str, rest: str) -> None:
        if kind == "class":
            self._owner, _, parents = rest.partition(" : ")
            self.types.parents[self._owner] = [one for one in parents.split(", ") if one]
        elif kind == "field" and self._owner == "swarm":
            name, of = rest.split(" ")[:2]
            self._faces[of] = f"swarm.{name}"
        elif kind == "param":
            self._parameters.append(parsed(rest.partition(" ")[2]))
        elif kind == "return":
            self._back = self._back or rest.split(" ")[0].rstrip("?")

    def _function(self, owner: str, colon: str, name: str) -> None:
        path = f"{self._faces.get(owner, owner)}{colon}{name}"
        self.types.calls[path] = tuple(self._parameters)
        if self._back.startswith("swarm."):
            self.types.hands_back[path] = self._back


@cache
def types() -> Types:
    """The definitions that come with the host."""
    reader, folder = _Reader(), lua_folder() / "types"
    for name in ("swarm", "definitions", "objects", "outside", "spec", "closed/closed"):
        reader.take(folder / f"{name}.lua")
    return reader.types
