"""``unknown-word``: an option that a call does not have, or a text where it knows all that there
are: a role, a verb, a type of events, a pool, ``strategy = "one_for_any"``.

What a call takes says ``lua/types``, which editors read too. Left alone: what is not written out at
the call; methods, but those of ``ctx`` and of locals that a call has made; what loading checks;
names of roles and pools where a script does not load and computes some; what ``assert.has_error``
is given.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from swarm_host.checking.calls import Call, field_of, function_at, path_of
from swarm_host.checking.finding import Finding
from swarm_host.checking.program import DEFINERS, Program
from swarm_host.checking.rules.expected import is_expected
from swarm_host.checking.source import Source
from swarm_host.checking.tree import Node
from swarm_host.checking.types import ListOf, MapOf, Named, Shape, Type, Types, Word, types
from swarm_host.vm.kernel import Kernel

ID = "unknown-word"

_WHILE_LOADING = {"swarm.main", *(f"swarm.{what}" for what in DEFINERS)}

_DEFINED = {"swarm.RoleName": "role", "swarm.PoolName": "pool"}
"""Aliases that stand for the names of what a script defines."""

_LISTED = {"swarm.Verb": "verb", "swarm.EventPattern": "type of events"}
"""Aliases of all the words that there are, and what one is called."""

_TASK = "swarm.Target"
_TASK_ID = re.compile(r"T-\d+")

_WHOLE = {*_DEFINED, *_LISTED, _TASK}
_NO_TEXTS = {"number", "integer", "boolean", "nil", "true", "false", "table", "function"}
_MOST_LISTED = 8

Said = Iterator[tuple[Node, str]]
"""Places, and what is said of each."""


def check(program: Program, kernel: Kernel) -> Iterator[Finding]:
    """Finds options and words that do not exist."""
    known = types()
    looking = _Looking(program, kernel, known)
    runs = _parameters_of_runs(program)
    for call in program.calls:
        if not call.source.is_own or call.path is None or call.path in _WHILE_LOADING:
            continue
        name, takes = _called(call, known, runs)
        for node, of in zip(call.arguments, takes, strict=False):
            for place, message in looking.at(call.source, node, of, [name]):
                if not is_expected(call.source, place):
                    yield call.source.finding(place, "error", ID, message)


def _called(call: Call, known: Types, runs: set[Node]) -> tuple[str, Sequence[Type]]:
    """How a call is written, and the types of its arguments; none where it is not known."""
    path = call.path or ""
    if not path.startswith(":"):
        return path, known.calls.get(path, ())
    callee = call.node.get("name")
    receiver = callee.get("table") if callee is not None else None
    local = receiver.local if receiver is not None else None
    if receiver is None or local is None or local.writes:
        return path, ()
    of = "swarm.Ctx" if local.node in runs else None
    if of is None and local.value is not None and local.value.kind == "function_call":
        made = path_of(call.source, local.value.get("name"))
        of = known.hands_back.get(made or "")
    name = f"{call.source.text_of(receiver)}{path}"
    return name, (known.method(of, path[1:]) or ()) if of else ()


def _parameters_of_runs(program: Program) -> set[Node]:
    """Where workers that are written out call themselves ``ctx``."""
    found = set()
    for one in program.definitions:
        function = function_at(field_of(one.source, one.table, "run"))
        parameters = function.get("parameters") if function is not None else None
        if one.what == "worker" and parameters is not None and parameters.children:
            found.add(parameters.children[0])
    return found


@dataclass(slots=True)
class _Looking:
    """Looks for what is written in what there is."""

    program: Program
    kernel: Kernel
    known: Types
    _names: dict[str, frozenset[str] | None] = field(default_factory=dict)

    def at(self, source: Source, node: Node, of: Type, path: list[str]) -> Said:
        """What is wrong with a value.

        :param path: the call, and the options on the way to it.
        """
        text = source.string(node)
        if text is not None:
            message = self._wrong(text, of, path)
            if message:
                yield node, message
        elif node.kind == "table_constructor":
            yield from self._table(source, node, of, path)

    def _table(self, source: Source, node: Node, of: Type, path: list[str]) -> Said:
        choices = list(self.known.choices(of))
        tables = [one for one in choices if isinstance(one, Shape | ListOf | MapOf)]
        if len(tables) != 1 or any(_takes_tables(one) for one in choices):
            return
        (table,) = tables
        fields = table.fields if isinstance(table, Shape) else {}
        item = table.item if isinstance(table, ListOf) else fields.get("[integer]")
        place = 0
        for entry in node.children:
            key, value = entry.get("name"), entry.get("value")
            if value is None:
                continue
            if key is None:
                place += 1
                inner = fields.get(f"[{place}]", item)
                if inner is not None:
                    yield from self.at(source, value, inner, path)
                continue
            name = source.text_of(key) if key.start == entry.start else source.string(key)
            if name in fields:
                yield from self.at(source, value, fields[name], [*path, name])
            elif isinstance(table, MapOf):
                yield from self.at(source, value, table.item, [*path, name or "?"])
            elif name is not None and isinstance(table, Shape):
                yield key, self._no_option(name, list(fields), path)

    def _no_option(self, name: str, fields: Sequence[str], path: list[str]) -> str:
        options = sorted(one for one in fields if not one.startswith("["))
        call, *inner = path
        owner = f"{call}: {'.'.join(inner)}" if inner else call
        hint = self.kernel.hint(name, options, "") or f"; it has {', '.join(options)}"
        return f'{owner} has no option "{name}"{hint}'

    def _wrong(self, text: str, of: Type, path: list[str]) -> str:
        """What is wrong with a text; empty: nothing, as far as can be told."""
        words: list[str] = []
        message = ""
        for one in self.known.choices(of, _WHOLE):
            if isinstance(one, Word):
                words.append(one.text)
            elif isinstance(one, Named):
                if one.name in _WHOLE:
                    message = self._unknown(text, one.name, path)
                    if not message:
                        return ""
                elif not one.name.startswith("swarm.") and one.name not in _NO_TEXTS:
                    return ""
        if text in words or not (words or message):
            return ""
        return message or self._none_of(text, words, path)

    def _unknown(self, text: str, name: str, path: list[str]) -> str:
        if name == _TASK:
            message = f'{path[0]}: "{text}" is no task_id, such as "T-12"'
            started = "; swarm.spawn starts a worker by its name"
            return "" if _TASK_ID.fullmatch(text) else message + started
        if name in _LISTED:
            choices = self.known.choices(Named(name))
            listed = frozenset(one.text for one in choices if isinstance(one, Word))
            is_there = any(_fits(text, one) for one in listed)
            what = _LISTED[name]
        else:
            what = _DEFINED[name]
            defined = self._defined(what)
            if defined is None:
                return ""
            listed, is_there = defined, text in defined
        hint = self.kernel.hint(text, sorted(listed), "")
        if not hint and 0 < len(listed) <= _MOST_LISTED:
            hint = f"; there are {', '.join(sorted(listed))}"
        return "" if is_there else f'{path[0]}: there is no {what} "{text}"{hint}'

    def _defined(self, what: str) -> frozenset[str] | None:
        if what not in self._names:
            self._names[what] = self.program.named(what)
        return self._names[what]

    def _none_of(self, text: str, words: Sequence[str], path: list[str]) -> str:
        call, *inner = path
        where = f"{call}: {'.'.join(inner)} cannot be" if inner else f"{call} does not take"
        hint = self.kernel.hint(text, sorted(words), "") or f"; it is one of {', '.join(words)}"
        return f'{where} "{text}"{hint}'


def _takes_tables(one: Type) -> bool:
    """Whether this takes a table of which nothing is known."""
    if not isinstance(one, Named):
        return False
    return one.name == "table" or one.name not in _NO_TEXTS | {"string"}


def _fits(pattern: str, word: str) -> bool:
    """As globs of the host: ``*`` stands for any run of characters, ``?`` for one."""
    regex = "".join({"*": ".*", "?": "."}.get(one, re.escape(one)) for one in pattern)
    return re.fullmatch(regex, word) is not None
