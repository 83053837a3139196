"""What tests of scripts that load, or do not, share."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

MAIN = "swarm.main(function() end)\n"


@dataclass(frozen=True, slots=True)
class Said:
    """What a run came to."""

    status: int
    out: str
    err: str


def swarm_host(folder: Path, *words: str | bytes) -> Said:
    """Runs the command line in a folder; no run may ever show what the host is made of."""
    done = subprocess.run(
        [sys.executable, "-m", "swarm_host", *words],
        cwd=folder,
        capture_output=True,
        timeout=60,
    )
    said = Said(done.returncode, done.stdout.decode(), done.stderr.decode(errors="replace"))
    for word in ("Traceback", ".py", "swarm/", "lupa", "Error:", "Group", "internal error"):
        assert word not in said.err, said.err
    return said


def load(folder: Path, text: str | bytes, *options: str) -> Said:
    """Writes ``x.lua`` and runs it."""
    (folder / "x.lua").write_bytes(text if isinstance(text, bytes) else text.encode())
    return swarm_host(folder, *options, "x.lua")


def refused(folder: Path, text: str | bytes, *options: str) -> str:
    """Loads a script that must be a load error; returns its first line."""
    said = load(folder, text, *options)
    assert said.status == 2, said
    assert said.out == ""
    first = said.err.splitlines()[0]
    assert first.startswith("error: ")
    return first.removeprefix("error: ")
