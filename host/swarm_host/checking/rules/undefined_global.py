"""``undefined-global``: a name that nobody has defined is read, which raises.

Left alone: a name that some file of the script assigns, or that is set by ``rawset(_G, …)``; what
scripts ask for to find out in which Lua they run; what ``assert.has_error`` is given.

Nothing is said where a script has globals of its own (``setfenv``), gives ``_G`` a metatable, or
does not load and uses libraries, which may have set some.
"""

from __future__ import annotations

from collections.abc import Iterator

from swarm_host.checking.calls import INDEXES, key_of
from swarm_host.checking.finding import Finding
from swarm_host.checking.program import Program
from swarm_host.checking.rules.expected import is_expected
from swarm_host.checking.source import Source
from swarm_host.vm.kernel import Kernel

ID = "undefined-global"


def check(program: Program, kernel: Kernel) -> Iterator[Finding]:
    """Finds names that are read and nowhere defined."""
    called = {call.path for call in program.calls}
    sets_metatable = any(
        call.path == "setmetatable"
        and call.argument(0) is not None
        and call.source.text_of(call.arguments[0]) == "_G"
        for call in program.calls
    )
    may_be_set = program.loaded.definitions is None and program.elsewhere
    if "setfenv" in called or sets_metatable or may_be_set:
        return
    known = set(program.loaded.globals)
    for source in program.sources:
        known |= _defined(source)
    for call in program.calls:
        if call.path == "rawset" and len(call.arguments) > 1:
            known.add(call.source.string(call.arguments[1]) or "")
    for source in program.own:
        here = {local.name for local in source.names.locals}
        loose = source.names.loose | (here if source.tree.is_broken else set())
        for node in source.names.read:
            name = source.text_of(node)
            if name in known or name in loose or is_expected(source, node):
                continue
            hint = kernel.hint(name, sorted(known | here), "")
            yield source.finding(node, "error", ID, f"global {name} is not defined{hint}")


def _defined(source: Source) -> set[str]:
    """Globals that a file assigns: ``x = 1``, ``function x()``, ``_G.x = 1``."""
    names = {source.text_of(node) for node in source.names.written}
    for node in source.tree.nodes:
        table = node.get("table") if node.kind in INDEXES else None
        if table is not None and node.field == "name" and source.text_of(table) == "_G":
            names.add(key_of(source, node) or "")
    return names
