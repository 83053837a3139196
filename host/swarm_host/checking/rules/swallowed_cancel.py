"""``swallowed-cancel``: a loop whose only way to wait is in a ``pcall``, so that a cancel, which
each waiting call raises again, has it go round without end.

It is found in ``while`` and ``repeat`` loops that end only by success: every way out is behind a
condition on what ``pcall`` said to be well. Left alone: a loop that also waits outside the
``pcall``, that counts, or that leaves (``break``, ``return``, ``error``) in any other way.
"""

from __future__ import annotations

from collections.abc import Iterator

from swarm_host.checking.calls import Call, call_at, function_at, own_nodes, path_of
from swarm_host.checking.finding import Finding
from swarm_host.checking.program import PROTECTED, Program
from swarm_host.checking.source import Source
from swarm_host.checking.tree import FUNCTIONS, Node
from swarm_host.vm.kernel import Kernel

ID = "swallowed-cancel"

_WAITS = {"all", "any", "call", "checkpoint", "each", "exec", "graph", "join", "map", "race",
          "result", "scope", "settle", "shield", "sleep", "timeout", "yield"}  # fmt: skip
_WAITING_METHODS = {":acquire", ":invoke", ":join", ":recv", ":result", ":send", ":wait", ":with"}
_LEAVES = ("break_statement", "return_statement", "goto_statement")
_RAISES = ("error", "assert")
_LOOPS = ("while_statement", "repeat_statement")


def check(program: Program, kernel: Kernel) -> Iterator[Finding]:
    """Finds loops that go on whatever happens."""
    for source in program.own:
        for loop in source.tree.nodes:
            body = loop.get("body") if loop.kind in _LOOPS else None
            if body is None:
                continue
            inside = own_nodes(body)
            calls = [call for node in inside if (call := call_at(source, node)) is not None]
            protected = [call for call in calls if _protects_waiting(source, call)]
            if not protected or not _goes_on(source, loop, inside, calls, protected):
                continue
            yield source.finding(
                protected[0].node,
                "warning",
                ID,
                "a cancel is caught here, and the loop goes on: leave it where the error has the "
                'code "cancelled", or call swarm.checkpoint() outside the pcall',
            )


def _goes_on(
    source: Source, loop: Node, inside: list[Node], calls: list[Call], protected: list[Call]
) -> bool:
    """Whether nothing but success ends the loop."""
    if any(_waits(source, call) for call in calls if call not in protected):
        return False
    if any(call.path in _RAISES or call.path is None for call in calls):
        return False
    said = {name for call in protected for name in _names_of(source, call.node)}
    condition = loop.get("condition")
    if condition is None or not _is_of_success(source, condition, said):
        return False
    return all(
        _is_behind_success(source, node, loop, said) for node in inside if node.kind in _LEAVES
    )


def _is_of_success(source: Source, condition: Node, said: set[str]) -> bool:
    """Whether a condition is a constant, or asks only whether all was well."""
    return all(
        one.kind in ("true", "false", "unary_expression", "parenthesized_expression")
        or (one.kind == "identifier" and source.text_of(one) in said)
        for one in [condition, *condition.below()]
    )


def _is_behind_success(source: Source, leave: Node, loop: Node, said: set[str]) -> bool:
    """Whether a way out is in ``if ok then``, and not in its ``else``."""
    inner = leave
    for one in leave.above():
        if one is loop:
            return False
        if one.kind == "if_statement" and inner.field == "consequence":
            condition = one.get("condition")
            if condition is not None and condition.kind == "identifier":
                return source.text_of(condition) in said
        inner = one
    return False


def _names_of(source: Source, call: Node) -> list[str]:
    """The first name that takes what a call returns: whether it went well."""
    values = call.parent
    statement = values.parent if values is not None and values.kind == "expression_list" else None
    if statement is None or statement.kind != "assignment_statement":
        return []
    return [source.text_of(part.children[0]) for part in statement.all("variable_list")]


def _protects_waiting(source: Source, call: Call) -> bool:
    """Whether a ``pcall`` has something in it that waits."""
    if call.path not in PROTECTED or not call.arguments:
        return False
    path = path_of(source, call.arguments[0])
    if path is not None and _is_waiting(path):
        return True
    function = function_at(call.arguments[0])
    if function is None:
        return False
    return any(
        _waits(source, inner)
        for node in own_nodes(function)
        if (inner := call_at(source, node)) is not None
    )


def _waits(source: Source, call: Call) -> bool:
    if call.path is not None and _is_waiting(call.path):
        return True
    called = call.node.get("name")
    return called is not None and called.kind in FUNCTIONS


def _is_waiting(path: str) -> bool:
    head, _, name = path.rpartition(".")
    return (
        path in _WAITING_METHODS
        or (head == "swarm" and name in _WAITS)
        or head in ("swarm.fs", "swarm.http")
    )
