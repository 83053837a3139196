"""A script and its own modules, read: what they define and whom they spawn."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from swarm_host.checking.calls import (
    INDEXES,
    Call,
    call_at,
    calls_in,
    field_of,
    function_at,
    path_of,
    required,
)
from swarm_host.checking.finding import Finding
from swarm_host.checking.loaded import Loaded
from swarm_host.checking.source import Source, source_of
from swarm_host.checking.tree import Node, NotRead

DEFINERS = ("worker", "role", "layer", "command", "agent", "pool")
SPAWNERS = ("swarm.spawn", "swarm.call", "swarm.open", "swarm.map")
"""Calls that take a worker's name first, or a function."""

PROTECTED = ("pcall", "xpcall")

HOOKS = ("swarm.before", "swarm.after", "swarm.around", "swarm.settled")

MOST_FILES = 256
_OF_LUA = {"swarm", "string", "table", "math", "bit", "coroutine", "os", "io", "debug", "_G",
           "table.new", "table.clear", "ffi", "jit"}  # fmt: skip
_OWN = ("", "lua/")
_FORMS = ("?.lua", "?/init.lua")


@dataclass(frozen=True, slots=True)
class Definition:
    """``swarm.worker "name" { … }``.

    :ivar what: ``worker``, ``role`` and so on.
    :ivar name: None: it is computed.
    :ivar table: its fields; None: they are written elsewhere.
    :ivar line: where the call begins, from 1.
    :ivar is_served: ``---@serve`` says that it is spawned from outside the script, too.
    """

    source: Source
    what: str
    name: str | None
    node: Node
    table: Node | None
    line: int
    is_served: bool


@dataclass(frozen=True, slots=True)
class Use:
    """Where a worker is named to be run.

    :ivar node: the name.
    :ivar given: its input; None: there is none.
    :ivar is_given: the input is what stands there, and not one of a list, or a function's.
    """

    source: Source
    name: str
    node: Node
    given: Node | None
    is_given: bool


@dataclass(slots=True)
class Program:
    """All that was read.

    :ivar definitions: in the order of the files.
    :ivar uses: where workers are named by a literal.
    :ivar computes_names: whether a name may be computed somewhere.
    :ivar is_read: all of its own files were read.
    :ivar elsewhere: modules that are no files of its own, such as a library's.
    """

    loaded: Loaded
    sources: list[Source] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    definitions: list[Definition] = field(default_factory=list)
    uses: list[Use] = field(default_factory=list)
    computes_names: bool = False
    is_read: bool = True
    elsewhere: set[str] = field(default_factory=set)

    @property
    def is_whole(self) -> bool:
        """All files were read, without a place that nothing was made of."""
        return self.is_read and not any(source.tree.is_broken for source in self.sources)

    @property
    def own(self) -> list[Source]:
        """The files in which something is said to be wrong."""
        return [source for source in self.sources if source.is_own]

    def strings(self) -> Iterator[tuple[Node, str]]:
        """All texts that are written out."""
        for source in self.sources:
            for node in source.tree.nodes:
                text = source.string(node)
                if text is not None:
                    yield node, text

    def named(self, what: str) -> frozenset[str] | None:
        """The names that workers, or roles, or pools, have or may have; None: any."""
        named = [one.name for one in self.definitions if one.what == what]
        written = frozenset(name for name in named if name is not None)
        written |= self.loaded.built_in(what)
        loaded = self.loaded.named(what)
        if loaded is not None:
            return loaded | written
        if not self.is_read or self.elsewhere or None in named:
            return None
        if self.is_whole:
            return written
        # A definition may stand where nothing was made of the text.
        uses = {use.node for use in self.uses}
        return written | {text for node, text in self.strings() if node not in uses}


class Reading:
    """Reads a script and follows its ``require``.

    :ivar findings: files that could not be read.
    """

    def __init__(self, script: str, lua_path: Sequence[str], loaded: Loaded) -> None:
        self.program = Program(loaded)
        self.findings: list[Finding] = []
        folder = str(Path(script).parent)
        root = "" if folder == "." and not script.startswith("./") else f"{folder.rstrip('/')}/"
        self._places = [(f"{root}{below}{form}", True) for below in _OWN for form in _FORMS]
        for further in lua_path:
            forms = [further] if "?" in further else [f"{further.rstrip('/')}/{f}" for f in _FORMS]
            self._places += [(form, False) for form in forms]
        self._seen = {script}
        self._waiting = [(script, True)]

    def read(self) -> Program:
        """Reads all, from the script on."""
        while self._waiting:
            path, is_own = self._waiting.pop(0)
            self._read(path, is_own)
        for source in self.program.sources:
            self._note(source)
        return self.program

    def _read(self, path: str, is_own: bool) -> None:
        program = self.program
        try:
            source = source_of(path, Path(path).read_bytes(), is_own=is_own)
        except (NotRead, OSError) as problem:
            program.is_read = False
            said = problem.strerror if isinstance(problem, OSError) else str(problem)
            message = f"only loaded, not read: {said}"
            self.findings.append(Finding(path, 1, 0, "warning", "not-read", message))
            return
        program.sources.append(source)
        calls = calls_in(source, source.tree.nodes)
        program.calls += calls
        for call in calls:
            module = required(call)
            if module is not None:
                self._follow(module)

    def _follow(self, module: str) -> None:
        for template, is_own in self._places:
            path = template.replace("?", module.replace(".", "/"))
            if not Path(path).is_file():
                continue
            if path not in self._seen and len(self._seen) < MOST_FILES:
                self._seen.add(path)
                self._waiting.append((path, is_own))
            return
        if module not in _OF_LUA:
            self.program.elsewhere.add(module)

    def _note(self, source: Source) -> None:
        program = self.program
        for call in program.calls:
            if call.source is not source or call.path is None:
                continue
            head, _, what = call.path.rpartition(".")
            if head == "swarm" and what in DEFINERS:
                program.definitions.append(_definition(call, what))
            elif call.path in SPAWNERS or (call.path == ":spawn" and _is_scope(call)):
                self._use(call, call.arguments, is_given=what != "map")
            elif call.path in PROTECTED and path_of(source, call.argument(0)) in SPAWNERS:
                self._use(call, call.arguments[1:], is_given=False)
            elif call.path == "swarm.supervise":
                self._entries(call, field_of(source, call.argument(0), "children"))
            elif call.path == "swarm.graph":
                self._entries(call, call.argument(0))
        for node in source.tree.nodes:
            if node.kind in INDEXES and path_of(source, node) in SPAWNERS and _is_handed_on(node):
                program.computes_names = True

    def _entries(self, call: Call, table: Node | None) -> None:
        """Children of a supervisor, nodes of a graph: tables of a name and an input."""
        if table is None or table.kind != "table_constructor":
            self.program.computes_names = True
            return
        for entry in table.children:
            value = entry.get("value")
            if value is None or value.kind != "table_constructor":
                self.program.computes_names = True
                continue
            listed = [
                one for field in value.children
                if field.get("name") is None and (one := field.get("value")) is not None
            ]  # fmt: skip
            self._use(call, listed, is_given=False)

    def _use(self, call: Call, given: Sequence[Node], *, is_given: bool) -> None:
        first = given[0] if given else None
        name = call.source.string(first)
        if first is None or name is None:
            is_function = function_at(first) is not None
            self.program.computes_names = self.program.computes_names or not is_function
            return
        value = given[1] if len(given) > 1 else None
        self.program.uses.append(Use(call.source, name, first, value, is_given))


def _definition(call: Call, what: str) -> Definition:
    table = call.argument(1)
    outer = call.node.parent
    if table is None and outer is not None and outer.get("name") is call.node:
        curried = call_at(call.source, outer)
        table = curried.argument(0) if curried else None
    if table is not None and table.kind != "table_constructor":
        table = None
    name = call.argument(0)
    written, line = call.source.string(name), call.node.row + 1
    is_served = what == "worker" and call.source.is_served(line)
    return Definition(call.source, what, written, name or call.node, table, line, is_served)


def _is_handed_on(node: Node) -> bool:
    """Whether a function is neither called where it stands nor given a name."""
    parent = node.parent
    if parent is None or node.field == "name":
        return False
    if parent.kind == "expression_list":
        return parent.parent is None or parent.parent.kind != "assignment_statement" or (
            parent.parent.field != "local_declaration" and parent.parent.parent is not None
            and parent.parent.parent.kind != "variable_declaration"
        )  # fmt: skip
    return not (parent.kind == "arguments" and parent.children[0] is node and _protects(parent))


def _protects(arguments: Node) -> bool:
    """Whether these are what ``pcall`` or ``xpcall`` is given."""
    callee = arguments.parent.get("name") if arguments.parent is not None else None
    return callee is not None and callee.kind == "identifier" and callee.local is None


def _is_scope(call: Call) -> bool:
    """Whether ``x:spawn`` is that of the scope which ``swarm.scope`` hands to its function."""
    callee = call.node.get("name")
    receiver = callee.get("table") if callee else None
    local = receiver.local if receiver is not None else None
    if local is None or local.node.parent is None or local.node.parent.kind != "parameters":
        return False
    function = local.node.parent.parent
    given = function.parent if function is not None else None
    if given is None or given.kind != "arguments" or given.parent is None:
        return False
    outer = call_at(call.source, given.parent)
    return outer is not None and outer.path == "swarm.scope"
