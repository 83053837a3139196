"""Writes ``lua/types/closed/closed.lua``: what scripts give to calls, as closed shapes.

A language server takes any further field in a table of a class, but none in a shape that says
so; calls take shapes, made from the classes that say what each field is. Run it after a change to
the types: ``python -m tests.closed_types``; ``tests/types/test_closed.py`` finds it forgotten.
"""

from __future__ import annotations

import re
from pathlib import Path

TYPES = Path(__file__).resolve().parents[1] / "lua" / "types"
FILE = TYPES / "closed" / "closed.lua"

HEAD = """\
---@meta _
-- luacheck: ignore 631

-- Made by tests/closed_types.py from what the classes say: the same fields, and no others. A table
-- that a script gives is one of these, so that a misspelt field is found as it is written.
"""

GIVEN = ("definitions.lua", "outside.lua", "spec.lua")
OPEN = {"Definition", "File", "LayerEntry", "Outcome", "Result", "Secret"}
"""Classes that scripts are handed, or that take any field."""

_CLASS = re.compile(r"---@class swarm\.(\w+)(?: : (.*))?")
_FIELD = re.compile(r"---@field (\[?\w+\]?)(\?)? (.*)")
_WORKER = ("LuaWorker", "ProcessWorker", "PythonWorker", "AgentWorker", "OperatorWorker")

Fields = dict[str, tuple[bool, str]]
"""Name → whether it may be absent, and its type."""


def type_of(rest: str) -> str:
    """The type that a line begins with; what follows says what it is for."""
    depth = 0
    for at, char in enumerate(rest):
        depth += (char in "(<{") - (char in ")>}")
        if char == " " and depth == 0 and rest[at - 1] not in ":,|":
            return rest[:at]
    return rest


def classes() -> dict[str, tuple[list[str], Fields]]:
    """Each class with its parents and its own fields."""
    found: dict[str, tuple[list[str], Fields]] = {}
    for name in GIVEN:
        fields: Fields = {}
        for line in (TYPES / name).read_text().splitlines():
            if made := _CLASS.fullmatch(line):
                parents = re.findall(r"swarm\.(\w+)", made[2] or "")
                fields = {}
                found[made[1]] = (parents, fields)
            elif one := _FIELD.fullmatch(line):
                fields[one[1]] = (one[2] is not None, type_of(one[3]))
    return found


def fields_of(name: str, known: dict[str, tuple[list[str], Fields]]) -> Fields:
    """All fields of a class, its parents' among them."""
    parents, own = known[name]
    fields: Fields = {}
    for parent in parents:
        fields |= fields_of(parent, known)
    return fields | own


def given(known: dict[str, tuple[list[str], Fields]]) -> set[str]:
    """The classes that are asked for as ``swarm.closed.…``, and those that their fields name."""
    asked = set[str]()
    for path in TYPES.glob("*.lua"):
        asked |= set(re.findall(r"swarm\.closed\.(\w+)", path.read_text()))
    asked = (asked - {"Worker"}) | set(_WORKER)
    queue = sorted(asked)
    for name in queue:
        for _, kind in fields_of(name, known).values():
            for inner in re.findall(r"swarm\.(\w+)", kind):
                if inner in known and inner not in OPEN and inner not in queue:
                    queue.append(inner)
    return set(queue) - set(_WORKER)


def shape(name: str, fields: Fields, closed: set[str]) -> str:
    """An alias for these fields and no others."""
    parts = []
    for field, (optional, kind) in fields.items():
        kind = re.sub(
            r"swarm\.(\w+)", lambda m: f"swarm.{'closed.' if m[1] in closed else ''}{m[1]}", kind
        )
        if "fun(" in kind:
            kind = f"({kind})"  # its results would go on with the next field
        parts.append(f"{field}{'?' if optional else ''}: {kind}")
    return f"---@alias swarm.closed.{name} {{ {', '.join([*parts, '[string]: nil'])} }}\n"


def made() -> str:
    """The file."""
    known = classes()
    closed = given(known)
    shapes = [shape(name, fields_of(name, known), closed) for name in sorted(closed)]
    worker: Fields = {}
    for name in _WORKER:
        worker |= {field: (True, kind) for field, (_, kind) in fields_of(name, known).items()}
    return "\n".join([HEAD, *shapes, shape("Worker", worker, closed)])


if __name__ == "__main__":
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text(made())
