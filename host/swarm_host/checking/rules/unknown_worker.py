"""``unknown-worker``: a worker is spawned by a name that no worker has.

Left alone: computed names; all names where some definitions are not known, because the script does
not load and computes names of workers; what ``assert.has_error`` is given.
"""

from __future__ import annotations

from collections.abc import Iterator

from swarm_host.checking.finding import Finding
from swarm_host.checking.program import Program
from swarm_host.checking.rules.expected import is_expected
from swarm_host.vm.kernel import Kernel

ID = "unknown-worker"


def check(program: Program, kernel: Kernel) -> Iterator[Finding]:
    """Finds names of workers that do not exist."""
    known = program.named("worker")
    if known is None:
        return
    for use in program.uses:
        if use.name in known or not use.source.is_own or is_expected(use.source, use.node):
            continue
        hint = kernel.hint(use.name, sorted(known), "")
        message = f'no worker "{use.name}" is defined{hint}'
        yield use.source.finding(use.node, "error", ID, message)
