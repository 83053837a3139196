"""``unused-worker``: a worker that is defined and never named again.

Left alone: all, where names are computed, where a file could not be read whole, in spec files, and
without a ``swarm.main``: others spawn them; a worker whose name stands in any other text, or is
marked ``---@serve``.
"""

from __future__ import annotations

from collections.abc import Iterator

from swarm_host.checking.finding import Finding
from swarm_host.checking.program import HOOKS, Program
from swarm_host.checking.tree import Node
from swarm_host.vm.kernel import Kernel

ID = "unused-worker"


def check(program: Program, kernel: Kernel) -> Iterator[Finding]:
    """Finds workers that nobody spawns."""
    has_main = any(call.path == "swarm.main" for call in program.calls)
    if not has_main or not program.is_whole or program.computes_names or program.loaded.is_spec:
        return
    passed_over: set[Node] = {one.node for one in program.definitions}
    for call in program.calls:
        if call.path in HOOKS and call.arguments:
            passed_over |= {call.arguments[0], *call.arguments[0].below()}
    named = {text for node, text in program.strings() if node not in passed_over}
    for one in program.definitions:
        if one.what != "worker" or one.is_served or not one.source.is_own:
            continue
        if one.name and one.name not in named:
            message = (
                f'worker "{one.name}" is never spawned; if others do that, write ---@serve above it'
            )
            yield one.source.finding(one.node, "warning", ID, message)
