"""Mistakes of definitions that share a table: each is told once, where it stands.

Loading tells of a mistake at every definition that has it. What several have in a field
(``env = ENV``) is followed to where it is written, through locals that stay; where that cannot be
done, the first definition has to do.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from swarm_host.checking.calls import field_of, fields_of
from swarm_host.checking.finding import Finding
from swarm_host.checking.loaded import Fault
from swarm_host.checking.program import Definition, Program
from swarm_host.checking.source import Source
from swarm_host.checking.tree import Node

_PART = re.compile(r"[^.\[\]]+")
"""Of a field such as ``env.TOKEN`` or ``command[2]``."""

_OF = re.compile(r'(\w+) "((?:[^"\\]|\\.)*)"(.*)', re.DOTALL)
"""Whose mistake a message tells of, and what it is."""

_MOST_NAMED = 3


def told_once(faults: Sequence[Fault], program: Program | None) -> Iterator[Finding]:
    """What loading found wrong with definitions.

    :param program: what was read; None: nothing was.
    """
    groups: dict[tuple[object, ...], list[Finding]] = {}
    for fault in faults:
        finding = fault.finding
        place: tuple[object, ...] = (finding.path, finding.line, finding.column)
        if fault.is_elsewhere:
            written = _written(fault, program) if program is not None else None
            if written is None:
                place = ()
            else:
                finding = replace(written, message=finding.message, notes=finding.notes)
                place = (finding.path, finding.line, finding.column)
        found = _OF.match(finding.message)
        what = found[3] if found else finding.message
        groups.setdefault((*place, what, finding.notes), []).append(finding)
    for group in groups.values():
        yield group[0] if len(group) == 1 else _counted(group)


def _counted(group: list[Finding]) -> Finding:
    """One for all that are the same."""
    of = [found for one in group if (found := _OF.match(one.message))]
    kinds = {found[1] for found in of}
    what = f"{kinds.pop()}s" if len(kinds) == 1 else "definitions"
    names = ", ".join(found[2] for found in of[:_MOST_NAMED])
    more = ", …" if len(of) > _MOST_NAMED else ""
    return replace(group[0], message=f"{group[0].message} (in {len(group)} {what}: {names}{more})")


def _written(fault: Fault, program: Program) -> Finding | None:
    """A finding at the place where it is written what a definition has from elsewhere."""
    of = _OF.match(fault.finding.message)
    for one in program.definitions:
        is_meant = (one.source.path, one.line) == fault.definition
        if is_meant and of and one.what == of[1] and one.name in (None, of[2]):
            node = _followed(one, fault.field)
            if node is not None:
                return _at(one.source, node, fault.finding)
    return None


def _followed(definition: Definition, field: str) -> Node | None:
    """The value of a field that a local stands for, or that is in a table which one stands for."""
    source, node, is_local = definition.source, definition.table, False
    for part in _PART.findall(field):
        if part.isdecimal():
            node = (fields_of(source, node) or {}).get(int(part))
        else:
            node = field_of(source, node, part)
        while node is not None and node.kind == "identifier":
            node = node.local.value if node.local and not node.local.writes else None
            is_local = True
    return node if is_local else None


def _at(source: Source, node: Node, told: Finding) -> Finding:
    """A finding there, at what the message quotes of it."""
    quoted = re.search(r"\{[^{}\n]+\}", told.message)
    raw = source.text[node.start : node.end]
    skip = max(0, raw.find(quoted[0].encode())) if quoted and node.kind == "string" else 0
    found = source.finding(node, told.severity, told.id, told.message, skip=skip)
    return found if not skip or quoted is None else replace(found, length=len(quoted[0]))
