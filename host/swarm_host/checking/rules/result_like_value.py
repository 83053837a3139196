"""``result-like-value``: a worker returns ``{ value = …, ok = … }``.

That is a value like any other: who joins the worker sees a ``pass``, whatever ``ok`` says. Left
alone: hooks, whose results do look so; tables with further fields.
"""

from __future__ import annotations

from collections.abc import Iterator

from swarm_host.checking.calls import field_of, fields_of, function_at, own_nodes
from swarm_host.checking.finding import Finding
from swarm_host.checking.program import Program
from swarm_host.checking.source import Source
from swarm_host.checking.tree import Node
from swarm_host.vm.kernel import Kernel

ID = "result-like-value"

_OF_A_RESULT = {"value", "ok", "blocked", "error", "err", "reason", "status"}


def check(program: Program, kernel: Kernel) -> Iterator[Finding]:
    """Finds values that look like a result."""
    for source, function in _functions(program):
        for node in own_nodes(function):
            if node.kind != "return_statement" or not node.children:
                continue
            values = node.children[0].children
            fields = fields_of(source, values[0]) if len(values) == 1 else None
            if fields and {"value", "ok"} <= fields.keys() <= _OF_A_RESULT:
                yield source.finding(
                    values[0],
                    "warning",
                    ID,
                    "this passes, whatever its ok says: return the value alone, and to say no "
                    'swarm.blocked(value, "why")',
                )


def _functions(program: Program) -> Iterator[tuple[Source, Node]]:
    """What workers run, where it is written out."""
    for one in program.definitions:
        run = field_of(one.source, one.table, "run")
        function = function_at(run) if one.what == "worker" and one.source.is_own else None
        if function is not None:
            yield one.source, function
    for call in program.calls:
        if call.source.is_own and call.path in ("swarm.spawn", "swarm.call", "swarm.main"):
            function = function_at(call.argument(0))
            if function is not None:
                yield call.source, function
