"""``dropped-handle``: a worker's handle is dropped, and with it a value that it returns.

Whoever spawns a worker waits for it at the end of its block, and hears of its failure; its value
is what gets lost. So it is found where a local takes a handle and is never read; and where nobody
takes it and the function that runs is written out and returns something: the function itself, or a
worker that no other place spawns. Left alone: names that begin with ``_``; workers whose name
stands in another text or may be computed, or that others spawn (``---@serve``); scripts with hooks
that see values (``after``, ``around``, ``settled``); spec files, in which workers return for the
sake of the spec.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from swarm_host.checking.calls import Call, field_of, function_at, own_nodes
from swarm_host.checking.finding import Finding
from swarm_host.checking.program import Program
from swarm_host.checking.source import Source
from swarm_host.checking.tree import Node
from swarm_host.vm.kernel import Kernel

ID = "dropped-handle"

_NOTHING = ("nil", "true", "false")
_SEE_VALUES = {"swarm.after", "swarm.around", "swarm.settled", "swarm.layer"}


def check(program: Program, kernel: Kernel) -> Iterator[Finding]:
    """Finds handles that nobody has."""
    spawns = [call for call in program.calls if call.path == "swarm.spawn" and call.source.is_own]
    for call in spawns:
        name = _never_read(call)
        if name is not None:
            message = f"the handle {name} is never used: join it, or take none"
            yield call.source.finding(call.node, "warning", ID, message)
    if not program.loaded.is_spec and not any(one.path in _SEE_VALUES for one in program.calls):
        yield from _lost_values(program, [call for call in spawns if _is_statement(call)])


def _never_read(call: Call) -> str | None:
    """The local that takes the handle, where nobody reads it."""
    for local in call.source.names.locals:
        if local.value is call.node and not local.name.startswith("_"):
            is_read = local.reads or local.writes or call.source.tree.is_broken
            return None if is_read else local.name
    return None


def _is_statement(call: Call) -> bool:
    parent = call.node.parent
    return parent is not None and parent.kind in ("block", "chunk")


def _lost_values(program: Program, dropped: list[Call]) -> Iterator[Finding]:
    message = "what it returns is lost: take the handle and join it, or return nothing"
    once = _spawned_once(program, dropped)
    for call in dropped:
        function = function_at(call.argument(0))
        if function is None:
            function = once.get(call.source.string(call.argument(0)) or "")
        if function is not None and _returns(call.source, function):
            yield call.source.finding(call.node, "warning", ID, message)


def _spawned_once(program: Program, dropped: list[Call]) -> dict[str, Node]:
    """Workers whose name stands nowhere but at their definition and where a handle is dropped."""
    if program.computes_names or not program.is_whole:
        return {}
    named = Counter(text for _, text in program.strings())
    spawned = Counter(call.source.string(call.argument(0)) for call in dropped)
    found = {}
    for one in program.definitions:
        function = function_at(field_of(one.source, one.table, "run"))
        if one.what != "worker" or not one.name or one.is_served or function is None:
            continue
        if spawned[one.name] == named[one.name] - 1:
            found[one.name] = function
    return found


def _returns(source: Source, function: Node) -> bool:
    """Whether a function returns something that is written out and says something."""
    for node in own_nodes(function):
        if node.kind == "return_statement" and node.children:
            values = node.children[0].children
            if values and values[0].kind not in _NOTHING:
                return True
    return False
