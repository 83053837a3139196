"""The short form of the faults by chance: none is found."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.__main__ import SHORT

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("kind", [*SHORT])
def test_none_is_found_by_chance(kind: str) -> None:
    command = [sys.executable, "-m", "tests.faults", "--short", kind]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert (found["faults"], found["tries"], found["failures"]) == (kind, SHORT[kind], 0)
