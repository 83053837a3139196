"""``unknown-placeholder``: a text of a process says ``{input.file}``, and no input has a ``file``.

An input is known where it is written out at every spawn, or where the worker's ``input_schema``
allows no others. Left alone: workers that are spawned by a computed name or not at all, or named in
another way; those that others spawn (``---@serve``); any script with ``before`` and ``around``
hooks or layers, which may change an input.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from swarm_host.checking.calls import field_of, fields_of
from swarm_host.checking.finding import Finding
from swarm_host.checking.program import Definition, Program, Use
from swarm_host.checking.source import Source
from swarm_host.checking.tree import Node
from swarm_host.vm.kernel import Kernel

ID = "unknown-placeholder"

_TEXTS = ("command", "shell", "prompt", "stdin", "cwd", "env", "args")
_PLACEHOLDER = re.compile(r"(?<!\{)\{input\.([\w-]+)[\w.-]*\}")
_PLAIN = ("string", "number", "true", "false")


def check(program: Program, kernel: Kernel) -> Iterator[Finding]:
    """Finds placeholders that stay without a value."""
    changes = {"swarm.before", "swarm.around", "swarm.layer", "swarm.use"}
    knows_inputs = (
        program.is_whole
        and not program.computes_names
        and not any(call.path in changes for call in program.calls)
    )
    for one in program.definitions:
        if one.what != "worker" or one.table is None or not one.source.is_own:
            continue
        known = _of_schema(one.source, one.table)
        if known is None and knows_inputs and not one.is_served:
            known = _of_uses(program, one)
        if known is None:
            continue
        for text, name, at in _placeholders(one.source, one.table):
            if name not in known:
                has = f"it has {', '.join(sorted(known))}" if known else "no input has fields"
                message = f"no input of worker {one.name or '?'!r} has {name!r}: {has}"
                yield one.source.finding(text, "error", ID, message.replace("'", '"'), skip=at)


def _placeholders(source: Source, table: Node) -> Iterator[tuple[Node, str, int]]:
    """Texts, the fields of the input that they name, and where in the text."""
    for field in _TEXTS:
        value = field_of(source, table, field)
        listed = [value] if value is not None else []
        if value is not None and value.kind == "table_constructor":
            listed = [inner for one in value.children if (inner := one.get("value")) is not None]
        for text in listed:
            if text.kind == "string":
                raw = source.text[text.start : text.end].decode("latin-1")
                for found in _PLACEHOLDER.finditer(raw):
                    if "\n" not in raw[: found.start()]:
                        yield text, found[1], found.start()
                    else:
                        yield text, found[1], 0


def _of_schema(source: Source, table: Node) -> set[str] | None:
    """What an input may have, where its schema names all."""
    schema = field_of(source, table, "input_schema")
    further = field_of(source, schema, "additionalProperties")
    properties = fields_of(source, field_of(source, schema, "properties"))
    if further is None or further.kind != "false" or properties is None:
        return None
    return {str(name) for name in properties}


def _of_uses(program: Program, of: Definition) -> set[str] | None:
    """What inputs have, where each is written out."""
    uses = [use for use in program.uses if use.name == of.name]
    named = sum(text == of.name for _, text in program.strings())
    if not uses or named != len(uses) + 1:
        return None
    known: set[str] = set()
    for use in uses:
        fields = _of_use(use)
        if fields is None:
            return None
        known |= fields
    return known


def _of_use(use: Use) -> set[str] | None:
    if not use.is_given:
        return None
    if use.given is None or use.given.kind in _PLAIN:
        return set()
    fields = fields_of(use.source, use.given)
    return None if fields is None else {str(name) for name in fields}
