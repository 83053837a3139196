"""What ``--input`` gives to main."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any, NoReturn

from swarm_host.cli.words import refuse


def read_input(text: str | None) -> Any:
    """What ``--input`` names: JSON, ``@FILE`` or ``-``."""
    if text is None:
        return None
    source = "--input"
    try:
        if text == "-":
            source, raw = "--input - (standard input)", sys.stdin.buffer.read()
        elif text.startswith("@"):
            source, raw = f"--input {text}", Path(text[1:]).read_bytes()
        else:
            raw = os.fsencode(text)
    except OSError as problem:
        refuse(f"{source}: cannot read it: {(problem.strerror or str(problem)).lower()}")
    try:
        decoded = raw.decode()
    except UnicodeDecodeError as problem:
        refuse(f"{source}: not UTF-8: byte {problem.start + 1} is {raw[problem.start]:#04x}")

    def no_constant(name: str) -> NoReturn:
        raise ValueError(f"{name} is not JSON")

    try:
        return json.loads(decoded, parse_constant=no_constant)
    except json.JSONDecodeError as problem:
        near = decoded[problem.pos : problem.pos + 20]
        shown = f" near {near!r}" if near else " (the text ends there)"
        hint = "" if "\n" in decoded or len(decoded) > 60 else f"; got {decoded!r}"
        where = f"line {problem.lineno}, column {problem.colno}"
        refuse(f"{source}: not JSON: {problem.msg.lower()} at {where}{shown}{hint}")
    except (ValueError, RecursionError) as problem:
        refuse(f"{source}: not JSON: {problem}")
