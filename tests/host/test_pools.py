"""Pools: those that do not load, the end of a run that a limit stops, and what a reload makes."""

from __future__ import annotations

import json
from pathlib import Path

import anyio
import pytest

from swarm_host import Host
from tests.support.loading import MAIN, load, refused

WORKER = "swarm.worker 'w' { pool = %s, run = function() end }\n"

WRONG = {
    'swarm.pool "p" {}': 'pool "p" limits nothing',
    'swarm.pool "p" { slots = 0 }': "slots must be a whole number, one or more, and is 0",
    'swarm.pool "p" { slots = 1.5 }': "slots must be a whole number",
    'swarm.pool "p" { per_second = 0 }': "per_second must be how many may begin in a second",
    'swarm.pool "p" { per_minute = "9" }': "per_minute must be how many may begin in a minute",
    'swarm.pool "p" { per_second = 0/0 }': "per_second must be",
    'swarm.pool "p" { slots = 1, burst = 2 }': "burst belongs to a rate",
    'swarm.pool "p" { slots = 1, park = 5 }': "park must be true, or seconds at most",
    'swarm.pool "p" { park = { max = -1 } }': "park.max must be seconds above zero",
    'swarm.pool "p" { slot = 1 }': 'has no field "slot"; did you mean slots?',
    'swarm.pool "p" { concurrency = 1 }': 'has no field "concurrency"; did you mean slots?',
    'swarm.pool "p" { slots = 1 }\nswarm.pool "p" { slots = 1 }': 'pool "p" is defined twice',
    'swarm.pool "p"': 'pool "p" has no table: write swarm.pool "p" { slots = 4 }',
    WORKER % "'ap'": 'worker "w": there is no pool "ap"; write swarm.pool "ap" { slots = 4 }',
    'swarm.pool "api" { slots = 1 }\n' + WORKER % "{ 'ap' }": "did you mean api?",
    WORKER % "5": "pool must be a name, or a list of names, and is 5",
    WORKER % "{}": "pool must be a name, or a list of names",
}


@pytest.mark.parametrize("text", WRONG)
def test_a_wrong_pool_is_a_load_error_with_its_line(tmp_path: Path, text: str) -> None:
    first = refused(tmp_path, text + "\n" + MAIN)
    assert first.startswith("x.lua:")
    assert WRONG[text] in first


LIMITED = """
swarm.pool "plan" { slots = 2, park = { max = 60 } }
swarm.worker "asks" { pool = "plan", run = function(ctx)
  error { code = "limited", retry_at = swarm.now() + 3600, message = "no more today" }
end }
swarm.worker "others" { run = function()
  swarm.sleep(0.1)
  print "went on"
end }
swarm.main(function()
  local ask, other = swarm.spawn("asks"), swarm.spawn("others")
  swarm.join(other)
  return swarm.result(ask)
end)
"""


def test_a_run_that_a_limit_stops_ends_with_75_once_nothing_else_is_left(tmp_path: Path) -> None:
    said = load(tmp_path, LIMITED, "--events", "events")
    assert said.status == 75, said
    assert said.out == "went on\n"
    assert 'pool "plan" is at its limit for 3600 s, longer than its park allows' in said.err
    assert 'error: pool "plan" is at its limit' in said.err
    events = [json.loads(line) for line in (tmp_path / "events").read_text().splitlines()]
    parked = [event for event in events if event["type"] == "pool_parked"]
    assert [event["pool"] for event in parked] == ["plan"]
    assert parked[0]["retry_at"] > parked[0]["at"] + 3590


POOLED = """
swarm.pool "p" { slots = SLOTS }
swarm.worker "w" { pool = "p", run = function() swarm.sleep(3600) end }
swarm.main(function()
  for i = 1, 5 do swarm.spawn("w") end
end)
"""


@pytest.mark.anyio
async def test_after_a_reload_the_newest_numbers_hold(tmp_path: Path) -> None:
    path = tmp_path / "x.lua"
    path.write_text(POOLED.replace("SLOTS", "2"))
    async with Host.load(path) as host, anyio.create_task_group() as group:
        group.start_soon(host.run)

        async def running(workers: int) -> None:
            with anyio.fail_after(20):
                while host.counts()["running"] != workers + 1:
                    await host.next_tick()

        await running(2)
        path.write_text(POOLED.replace("SLOTS", "4"))
        reloaded = await host.reload()
        assert reloaded.changed == ["pool p"]
        await running(4)
        path.write_text(POOLED.replace("SLOTS", "5"))
        await host.reload()
        await running(5)
        host.cancel_all("enough")
