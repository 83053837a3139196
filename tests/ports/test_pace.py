"""Programs that write line by line are read some times a second, and nothing of it is lost."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from swarm_host.ports.process import pipes
from tests.support.processes import loaded, lua
from tests.support.waiting import within

CHATTER = """
import os, sys, time
for number in range(int(sys.argv[1])):
    os.write(2, b"line %d\\n" % number)
    os.write(1, b"out %d\\n" % number)
    time.sleep(0.001)
os.write(2, b"the last")
"""
LINES = 500


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sizes of what was read."""
    sizes: list[int] = []

    def read(fd: int, most: int) -> bytes:
        data = os.read(fd, most)
        sizes.append(len(data))
        return data

    class Counting:
        def __getattr__(self, name: str) -> object:
            return read if name == "read" else getattr(os, name)

    monkeypatch.setattr(pipes, "os", Counting())
    return sizes


def test_a_chatterer_is_read_some_times_a_second(tmp_path: Path, reads: list[int]) -> None:
    (tmp_path / "chatter.py").write_text(CHATTER)
    command = f"{{ {lua(sys.executable)}, {lua(tmp_path / 'chatter.py')}, '{LINES}' }}"

    async def main() -> float:
        async with loaded(tmp_path, f"swarm.worker 'w' {{ command = {command} }}") as host:
            began = time.monotonic()
            worker = host.spawn("w")
            outcome = await worker.wait()
            seconds = time.monotonic() - began
            assert outcome.status == "pass"
            assert outcome.value["raw"] == "".join(f"out {n}\n" for n in range(LINES))
            said = [event["note"] for event in worker.output_tail() if event["type"] == "progress"]
            assert said == [*(f"line {number}" for number in range(LINES)), "the last"]
            return seconds

    seconds = within(60, main)
    most = 2 * (seconds / pipes.PACE_SECONDS + pipes.PACE_AFTER + 5)
    assert len([size for size in reads if size]) <= most < 2 * LINES


def test_nobody_rests_once_the_program_has_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipes, "PACE_SECONDS", 600.0)
    shell = (
        "for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18; do echo $i >&2; sleep 0.01; done"
    )

    async def main() -> None:
        async with loaded(tmp_path, f"swarm.worker 'w' {{ shell = {lua(shell)} }}") as host:
            outcome = await host.spawn("w").wait()
            assert outcome.value["stderr"].split() == [str(number) for number in range(1, 19)]

    within(60, main)
