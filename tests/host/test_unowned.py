"""When a failure that nobody has taken is told, and when it is held back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from swarm_host import Host, Options
from tests.support.waiting import within

BREAKS = """
local function fails(at)
  return swarm.spawn(function() swarm.sleep(at) error("broke after " .. at, 0) end)
end
local function sleeps(seconds)
  return swarm.spawn(function() swarm.sleep(seconds) end)
end
swarm.main(function() %s end)
"""

TAKEN = [
    # A loop of joins, and a failure of a later one.
    "for _, h in ipairs { sleeps(1), fails(0.1), fails(0.2) } do swarm.join(h) end",
    "local late = fails(0.1) swarm.join(sleeps(1), { timeout = 0.5 }) swarm.join(late)",
    "local late = fails(0.1) swarm.all { sleeps(1), sleeps(2) } swarm.join(late)",
    # The worker above runs meanwhile.
    "local h = fails(0) swarm.yield() swarm.yield() swarm.join(h)",
]
TOLD = [
    # It waits for something else: told as it happens.
    ("local h = fails(0.1) swarm.sleep(1) swarm.join(h)", 0.1),
    ("fails(0.1) swarm.sleep(1)", 0.1),
    ("fails(0.1)", 0.1),
    # It waits for something else afterwards.
    ("local h = fails(0.1) swarm.join(sleeps(1)) swarm.sleep(3) swarm.join(h)", 1),
    # A long join keeps it from nobody for more than 5 s.
    ("local h, other = fails(0.1), sleeps(60) sleeps(5.3) swarm.join(other) swarm.join(h)", 5.3),
    # A detached one belongs to the run, and to nobody in it.
    (
        "swarm.spawn(function() swarm.sleep(0.1) error('x', 0) end, nil, { detached = true })"
        " swarm.join(sleeps(1)) swarm.sleep(1)",
        0.1,
    ),
]


def told(folder: Path, body: str) -> list[dict[str, Any]]:
    """The log of a run under a virtual clock."""
    path = folder / "unowned.lua"
    path.write_text(BREAKS % body)
    said: list[dict[str, Any]] = []

    async def main() -> None:
        options = Options(virtual_clock=True, closed_world=True, write_log=said.append)
        async with Host.load(path, options) as host:
            await host.run()

    within(30, main)
    return said


@pytest.mark.parametrize("body", TAKEN)
def test_one_that_is_taken_in_its_turn_is_not_warned_of(tmp_path: Path, body: str) -> None:
    assert told(tmp_path, body) == []


@pytest.mark.parametrize(("body", "at"), TOLD)
def test_one_that_nobody_is_about_to_take_is_told(tmp_path: Path, body: str, at: float) -> None:
    began, warned = told(tmp_path, "swarm.log.info 'began' " + body)
    assert warned["level"] == "warn"
    assert warned["at"] - began["at"] == pytest.approx(at, abs=0.001)


def test_a_flood_of_them_is_bounded(tmp_path: Path) -> None:
    body = """
      local handles = {}
      for i = 1, 1000 do handles[i] = fails(0.1) end
      swarm.join(sleeps(1))
      for _, h in ipairs(handles) do swarm.join(h) end
    """
    assert told(tmp_path, body) == []
