#!/usr/bin/env python3
"""Writes so many MB as an agent would, by whose name it is called: what its fake says once, the
middle of it over and over, with texts and results of tools of common sizes. Cheap enough to be no
part of it."""

from __future__ import annotations

import io
import json
import os
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from tests.fakes.agent import AGENTS, Fake

BLOCK = 1024 * 1024
LONG = {
    "Well.": "What an agent says of what it is about to do, and why. " * 5,
    "x": "    a line of a file, as a tool reads it\n" * 25,
}


def grown(value: Any) -> Any:
    """A value with texts of common sizes in it."""
    if isinstance(value, dict):
        return {key: grown(item) for key, item in value.items()}
    if isinstance(value, list):
        return [grown(item) for item in value]
    return LONG.get(value, value) if isinstance(value, str) else value


def main() -> None:
    """Writes it."""
    name, megabytes = Path(sys.argv[0]).name, int(os.environ["MEGABYTES"])
    sys.stdin = io.StringIO("look")
    items = list(AGENTS[name](Fake(name, ["--verbose"], {"tools"})))
    if name == "gemini":  # all that it says is its answer, so most is of tools
        items[2:2] = [{"type": "message", "role": "user", "content": "Well."}]
    lines = [json.dumps(grown(item)).encode() + b"\n" for item in items]
    first = 2 if name == "gemini" else 1
    end = {"opencode": -4, "gemini": -4}.get(name, -2)
    middle = b"".join(lines[first:end])
    block = memoryview(middle * (BLOCK // len(middle)))

    def write(data: memoryview) -> None:
        while data:
            data = data[os.write(1, data) :]

    write(memoryview(b"".join(lines[:first])))
    for _ in range(megabytes):
        write(block)
    write(memoryview(b"".join(lines[end:])))


main()
