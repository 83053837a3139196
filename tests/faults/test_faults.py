"""The short form of the faults by chance: none is found."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_no_random_program_and_no_random_signal_finds_a_fault() -> None:
    command = [sys.executable, "-m", "tests.faults", "--short"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    kinds = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(kind["faults"], kind["tries"], kind["failures"]) for kind in kinds] == [
        ("programs", 200, 0),
        ("signals", 200, 0),
    ]
