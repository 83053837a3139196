"""``scripts/``: each of them runs to its end, and the programs say what they are there to show."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.command_line import run

OTHERS = {"review.lua", "approval.lua", "flow.lua"}
"""Those that need more than a folder, and have tests of their own; and a module."""

FOLDER = Path(__file__).resolve().parents[2] / "scripts"
SCRIPTS = sorted(path for path in FOLDER.glob("*.lua") if path.name not in OTHERS)

PROGRAMS = """\
measure	3
agent	progress	looking around
agent	usage	120
agent	final	it is done
summary	9
from file	first line
service	true
oracle	yes, is it	yes, is it still
odd	1 3 5
"""


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_it_runs_to_its_end(script: Path, tmp_path: Path) -> None:
    done = run(script, cwd=tmp_path)
    assert done.returncode == 0, done.stderr.decode()
    if script.name == "programs.lua":
        assert done.stdout.decode() == PROGRAMS
