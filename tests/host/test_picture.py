"""The picture of a run: which workers have a row, where there are more than rows."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from swarm_host.host import Host
from swarm_host.options import Options
from tests.support.waiting import until

WATCHED = Options(watched=True)

WORKERS = """
swarm.worker "wait" { run = function() swarm.sleep(600) end }
swarm.worker "turn" { concurrency = 3, run = function() swarm.sleep(600) end }
swarm.worker "brief" { run = function() end }
swarm.worker "break" { run = function() error "why" end }
swarm.worker "again" {
  retries = { max = 1, backoff = 600, jitter = false },
  run = function() error "first" end,
}
swarm.worker "say" {
  run = function(ctx)
    ctx:progress("reading", "page 7")
    ctx:usage { input = 10, output = 5, cost = 0.5 }
    ctx:usage { tokens = 85 }
    swarm.sleep(600)
  end,
}
swarm.worker "team" {
  run = function(_, sizes)
    for name, count in pairs(sizes) do
      for i = 1, count do swarm.spawn(name, i) end
    end
    swarm.sleep(600)
  end,
}
"""


def titles(rows: list[dict[str, Any]]) -> list[str]:
    """Each row as its depth, name, label and status."""
    return [_title(row) for row in rows]


def _title(row: dict[str, Any]) -> str:
    if "left_out" in row:
        return f"{row['depth']} {row['left_out']} more"
    return f"{row['depth']} {row['name']} {row.get('label', '-')} {row['status']}"


async def picture(folder: Path, main: str, rows: int, live: int) -> list[dict[str, Any]]:
    """The picture of a run whose main does something and waits, once so many are live."""
    path = folder / "x.lua"
    path.write_text(f"{WORKERS}\nswarm.main(function() {main} swarm.sleep(600) end)")
    async with Host.load(path, WATCHED) as host:
        run = host.kernel.spawn_main(None)
        assert run
        host._pump.poke()
        await until(lambda: host.counts()["live"] == live)
        for _ in range(3):  # whoever was spawned has had a turn
            host._pump.poke()
            await host.next_tick()
        return host.picture(rows)


@pytest.mark.anyio
async def test_a_row_says_what_there_is_to_say_of_a_worker(tmp_path: Path) -> None:
    rows = await picture(tmp_path, 'swarm.spawn("say", "a")', 10, 2)
    main, say = rows
    assert (main["depth"], main["name"], main["running"], main["pending"]) == (0, "main", 1, 0)
    assert main["used"] == {"tokens": 100, "input": 10, "output": 5, "cost": 0.5}
    assert "label" not in main
    assert say["depth"] == 1
    assert (say["name"], say["label"], say["task_id"]) == ("say", "a", "T-2")
    assert (say["status"], say["attempt"]) == ("running", 1)
    assert (say["stage"], say["note"]) == ("reading", "page 7")
    assert 0 <= say["seconds"] < 60
    assert say["waits_for"] == "a timer"
    assert say["used"] == main["used"]


@pytest.mark.anyio
async def test_what_is_done_is_counted_and_what_failed_has_a_row(tmp_path: Path) -> None:
    main = """
      local all = { swarm.spawn "brief", swarm.spawn("break", "x"), swarm.spawn "brief" }
      swarm.settle(all)
      swarm.spawn "wait"
    """
    rows = await picture(tmp_path, main, 10, 2)
    assert titles(rows) == ["0 main - running", "1 wait - running", "1 break x failed"]
    assert {name: count for name, count in rows[0]["ends"].items() if count} == {
        "pass": 2,
        "failed": 1,
    }
    assert rows[2]["reason"].endswith("why")


@pytest.mark.anyio
async def test_who_runs_comes_before_who_waits_for_a_turn(tmp_path: Path) -> None:
    rows = await picture(tmp_path, 'for i = 1, 20 do swarm.spawn("turn", i) end', 30, 21)
    assert titles(rows) == [
        "0 main - running",
        *(f"1 turn {number} running" for number in (1, 2, 3)),
        *(f"1 turn {number} pending" for number in (4, 5, 6, 7, 8)),
        "1 12 more",
    ]
    assert (rows[0]["running"], rows[0]["pending"]) == (3, 17)
    assert rows[4]["waits_for"] == "a free slot"


@pytest.mark.anyio
async def test_one_between_two_attempts_says_which_comes(tmp_path: Path) -> None:
    rows = await picture(tmp_path, 'swarm.spawn("again")', 10, 2)
    assert (rows[1]["status"], rows[1]["attempt"]) == ("pending", 2)
    assert rows[1]["waits_for"] == "its next attempt"


@pytest.mark.anyio
@pytest.mark.parametrize("most", [1, 2, 3, 5, 8, 13, 40])
async def test_there_are_never_more_rows_than_room(tmp_path: Path, most: int) -> None:
    main = """
      for _ = 1, 4 do swarm.spawn("team", { wait = 3, brief = 2, ["break"] = 2 }) end
    """
    rows = await picture(tmp_path, main, most, 1 + 4 * 4)
    assert 0 < len(rows) <= most
    assert titles(rows)[0] == "0 main - running"
    for before, row in pairwise(rows):
        assert row["depth"] <= before["depth"] + 1  # nobody stands below another than its own
    if most >= 5:
        room = most - 3 if most > 12 else most  # three are for marks
        teams = [row.get("name") for row in rows if row["depth"] == 1].count("team")
        assert teams >= min(4, room - 3)
    if most >= 8:
        assert any(row.get("status") == "failed" for row in rows)


@pytest.mark.anyio
async def test_each_parent_has_its_share_of_the_rows(tmp_path: Path) -> None:
    rows = await picture(
        tmp_path, 'for _ = 1, 3 do swarm.spawn("team", { wait = 50 }) end', 16, 154
    )
    shares: list[int] = []
    for row in rows[1:]:
        if row["depth"] == 1:
            shares.append(0)
            assert row["running"] == 50
        else:
            shares[-1] += 1
    assert sorted(shares) == [4, 4, 4]


@pytest.mark.anyio
async def test_of_very_many_those_are_found_that_run(tmp_path: Path) -> None:
    """More than are looked at: those that run are the first of them, and far from the newest."""
    rows = await picture(tmp_path, "for i = 1, 60000 do swarm.spawn('turn', i) end", 12, 60001)
    assert titles(rows)[:4] == [
        "0 main - running",
        *(f"1 turn {number} running" for number in (1, 2, 3)),
    ]
    assert rows[0]["is_cut"]


@pytest.mark.anyio
async def test_what_is_detached_stands_beside_main(tmp_path: Path) -> None:
    main = 'swarm.spawn("wait", "d", { detached = true })'
    assert titles(await picture(tmp_path, main, 10, 2)) == ["0 main - running", "0 wait d running"]


@pytest.mark.anyio
async def test_children_in_blocks_are_children(tmp_path: Path) -> None:
    main = """
      swarm.spawn("wait", "out")
      swarm.scope(function() swarm.spawn("wait", "in") swarm.sleep(600) end)
    """
    rows = await picture(tmp_path, main, 10, 3)
    assert titles(rows) == ["0 main - running", "1 wait out running", "1 wait in running"]


@pytest.mark.anyio
async def test_amounts_that_add_up_to_no_number_are_left_out(tmp_path: Path) -> None:
    main = """
      swarm.spawn(function(ctx)
        ctx:usage { tokens = 1e308, cost = 1 } ctx:usage { tokens = 1e308, cost = 1 }
        swarm.sleep(60)
      end)
    """
    rows = await picture(tmp_path, main, 10, 2)
    assert rows[0]["used"] == {"tokens": 1e308, "cost": 2}
