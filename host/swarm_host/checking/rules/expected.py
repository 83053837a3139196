"""What is written to be wrong: specs hand it to ``assert.has_error``."""

from __future__ import annotations

from swarm_host.checking.calls import path_of
from swarm_host.checking.source import Source
from swarm_host.checking.tree import Node

_EXPECTING = ("assert.has_error", "assert.error", "assert.errors", "assert.has.error",
              "assert.has_errors", "assert.has.errors", "assert.error_matches")  # fmt: skip


def is_expected(source: Source, node: Node) -> bool:
    """Whether a place is in a function that is called to see it fail."""
    return any(
        one.kind == "function_call" and path_of(source, one.get("name")) in _EXPECTING
        for one in node.above()
    )
