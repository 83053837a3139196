"""Audits that tests read and look through."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.support.command_line import run


def rows(path: Path) -> list[dict[str, Any]]:
    """Its lines."""
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def of_type(path: Path, *kinds: str) -> list[dict[str, Any]]:
    """Its lines of some types, without what every line has."""
    beside = {"n", "prev", "hash", "at"}
    return [
        {key: value for key, value in row.items() if key not in beside}
        for row in rows(path)
        if row["type"] in kinds
    ]


def verified(path: Path, *words: str) -> dict[str, Any]:
    """What ``audit verify`` says of a sound one."""
    done = run("audit", "verify", "--json", path, *words)
    assert done.returncode == 0, done
    found: dict[str, Any] = json.loads(done.stdout)
    assert found.pop("ok") is True
    return found


def broken(path: Path, *words: str) -> str:
    """What ``audit verify`` says of one that is not."""
    done = run("audit", "verify", path, *words)
    assert (done.returncode, done.stdout) == (1, b""), done
    return done.stderr.decode().removeprefix(f"error: {path}: ").rstrip()


def head(said: bytes) -> str:
    """The hash that a run has said at its end."""
    line = said.decode().splitlines()[-1]
    assert line.startswith("audit: "), said
    return line.rpartition(" ")[2]
