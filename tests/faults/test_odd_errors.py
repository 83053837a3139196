"""Whatever a script raises ends its worker and nothing else, wherever it is raised."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.support.command_line import SWARM_HOST

PROGRAM = Path(__file__).with_name("odd_errors.lua")
WAYS = re.findall(r"^  (\w+) = function\(\)", PROGRAM.read_text().split("local WAYS")[1], re.M)
LEAST = 100  # values that are raised in each way


def test_there_are_many_ways() -> None:
    assert len(WAYS) > 20


@pytest.mark.parametrize("way", WAYS)
def test_whatever_is_raised_ends_its_worker_and_nothing_else(way: str) -> None:
    command = [*SWARM_HOST, str(PROGRAM), way]
    done = subprocess.run(command, capture_output=True, timeout=300)
    said = done.stdout.decode(errors="replace").splitlines()
    assert b"internal" not in done.stderr, done.stderr[-4000:]
    assert b"odd_errors.lua:0" not in done.stderr
    assert said, done.stderr[-4000:]
    word, count = said[-1].split()
    assert word == "raised"
    assert int(count) > LEAST
    assert done.returncode == (1 if way in FAIL_THE_RUN else 0), done.stderr[-4000:]


# What these raise is nobody's: a failure of the run, told at its end.
FAIL_THE_RUN = {"settled", "detached"}
