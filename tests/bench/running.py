"""Runs a benchmark, ours or a peer's, as a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
PEERS = HERE / "peers"

Result = dict[str, Any]


def run(command: list[str]) -> tuple[Result, float]:
    """What a command says as JSON, and the peak of its own memory in MB."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=HERE.parents[1])
    assert process.stdout is not None
    out = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    result: Result = json.loads(out)
    return result, usage.ru_maxrss / (1024 * 1024 if sys.platform == "darwin" else 1024)


def ours(script: str, *args: object) -> tuple[Result, float]:
    """Runs a script of this folder through the command line, without a journal, whose cost
    ``journal`` measures: its result, and the peak in MB."""
    command = [
        sys.executable,
        "-m",
        "swarm_host",
        "--json",
        "--no-journal",
        str(HERE / script),
        *map(str, args),
    ]
    return run(command)
