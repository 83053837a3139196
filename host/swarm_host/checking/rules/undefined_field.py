"""``undefined-field``: ``swarm.spwan``, a name that the host has not, which raises.

Left alone: what ``assert.has_error`` is given; a ``swarm`` that the script has made itself.
"""

from __future__ import annotations

from collections.abc import Iterator

from swarm_host.checking.calls import INDEXES, key_of, path_of
from swarm_host.checking.finding import Finding
from swarm_host.checking.program import Program
from swarm_host.checking.rules.expected import is_expected
from swarm_host.vm.kernel import Kernel

ID = "undefined-field"


def check(program: Program, kernel: Kernel) -> Iterator[Finding]:
    """Finds names behind ``swarm.``, ``swarm.fs.`` and the like."""
    faces = program.loaded.faces
    for source in program.own:
        if any(source.text_of(node) == "swarm" for node in source.names.written):
            continue
        for node in source.tree.nodes:
            if node.kind not in INDEXES or (node.field == "name" and _is_assigned(node.parent)):
                continue
            key, table = node.get("field"), path_of(source, node.get("table"))
            face, name = f"{table}.", key_of(source, node)
            if key is None or name is None or face not in faces or name in faces[face]:
                continue
            if not is_expected(source, node):
                hint = kernel.hint(name, faces[face], face)
                yield source.finding(key, "error", ID, f"{face}{name} does not exist{hint}")


def _is_assigned(parent: object) -> bool:
    return getattr(parent, "kind", None) in ("variable_list", "function_declaration")
