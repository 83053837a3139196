"""Supervisors, as their chapter in ``spec/structure/`` has them: logs, and what a reload does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import pytest

from swarm_host import Host, Options

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test has a working directory of its own."""
    monkeypatch.chdir(tmp_path)


def save(text: str) -> Path:
    """Writes the script."""
    path = Path("x.lua")
    path.write_text(text)
    return path


async def logged(text: str) -> list[str]:
    """Runs a script under a virtual clock; what it logged, as ``level: message``."""
    path = save(text)
    said: list[str] = []

    def write(entry: dict[str, Any]) -> None:
        said.append(f"{entry['level']}: {entry['message']}")

    async with Host.load(path, Options(virtual_clock=True, write_log=write)) as host:
        with anyio.fail_after(20):
            await host.run()
    return said


CHILDREN = """
local runs = {}
swarm.worker "child" {
  run = function(_, how)
    runs[how] = (runs[how] or 0) + 1
    local ok, err = pcall(swarm.sleep, runs[how] == 1 and 1 or 1e9)
    if not ok then
      error(how == "clean" and "clean-up broke" or err, 0)
    elseif how == "fail" then
      error("it broke")
    elseif how == "block" then
      return nil, "no more"
    end
  end,
}
swarm.main(function()
  local sup = swarm.supervise { %s }
  swarm.sleep(3)
  swarm.cancel(sup, "the end")
  swarm.join(sup)
end)
"""


async def test_each_restart_is_one_line() -> None:
    said = await logged(CHILDREN % 'children = { { "child", "fail" } }')
    assert said == [
        'warn: supervisor: child "child" failed: x.lua:10: it broke; restarted (1 of 1 in 5 s)'
    ]


async def test_a_restart_that_is_put_off_says_for_how_long() -> None:
    said = await logged(CHILDREN % 'backoff = 0.5, children = { { "child", "fail" } }')
    assert said == [
        'warn: supervisor: child "child" failed: x.lua:10: it broke; '
        "to be restarted after 0.5 s (1 of 1 in 5 s)"
    ]


async def test_a_start_that_failed_is_one_line() -> None:
    said = await logged(
        """
        swarm.worker "child" {
          ready = true, start_timeout = 2, run = function() swarm.sleep(1e9) end,
        }
        swarm.worker "hasty" { ready = true, run = function() end }
        swarm.main(function()
          local sup = swarm.supervise { strategy = "one_for_all", children = {
            { "child", restart = "temporary" }, { "hasty", restart = "temporary" },
            { "child", id = "last" },
          } }
          swarm.sleep(5)
          swarm.cancel(sup, "the end", { wait = true })
        end)
        """
    )
    late = "did not start: x.lua:2: it was not ready within 2 s: it did not call ctx:ready()"
    assert said == [
        f'warn: supervisor: child "child" {late}; not restarted: it is temporary',
        'warn: supervisor: child "hasty" ended (pass) before it was ready; '
        "not restarted: it is temporary",
        f'warn: supervisor: child "last" {late}; restarted with all others (1 of 1 in 5 s)',
    ]


@pytest.mark.parametrize(
    ("how", "ended"),
    [
        ('"pass"', "ended (pass)"),
        ('"block"', "blocked: no more"),
        ('"late", timeout = 0.5', 'timed out: worker "child" [late] ran out of time after 0.5 s'),
    ],
)
async def test_the_line_says_how_the_child_ended(how: str, ended: str) -> None:
    children = f'name = "house", intensity = 9, children = {{ {{ "child", {how}, id = "a" }} }}'
    said = await logged(CHILDREN % children)
    assert said[0].startswith(f'warn: supervisor "house": child "a" {ended}; restarted (1 of 9')


async def test_a_restart_of_all_is_one_line() -> None:
    both = (
        'strategy = "one_for_all", children = { { "child", "fail" }, { "child", "x", id = "x" } }'
    )
    said = await logged(CHILDREN % both)
    assert len(said) == 1
    assert said[0].endswith("it broke; restarted with all others (1 of 1 in 5 s)")


async def test_a_failure_that_is_not_restarted_is_said() -> None:
    child = 'children = { { "child", "fail", restart = "temporary" } }'
    said = await logged(CHILDREN % child)
    assert len(said) == 1
    assert said[0].endswith("it broke; not restarted: it is temporary")


async def test_a_failure_in_clean_up_is_said() -> None:
    child = """children = { { "child", "pass", restart = "temporary" },
      { "child", "clean", id = "clean" } }, intensity = 9"""
    said = await logged(CHILDREN % child)
    assert said[-1].endswith('"clean" failed: x.lua:8: clean-up broke; stopped: the end')


async def test_children_that_are_stopped_are_not_worth_a_line() -> None:
    said = await logged(CHILDREN % 'children = { { "child", "x", restart = "transient" } }')
    assert said == []


RELOADED = """
local VERSION = %d
swarm.worker "service" {
  run = function(ctx)
    swarm.sleep(0.05)
    swarm.state("seen").version = VERSION
    error("again")
  end,
}
swarm.worker "house" {
  run = function()
    local sup = swarm.supervise { intensity = 1000, children = { { "service" } } }
    while swarm.state("seen").version ~= 2 do
      swarm.sleep(0.01)
    end
    swarm.cancel(sup)
    return sup:children()[1].handle.generation
  end,
}
"""


async def test_a_restart_after_a_reload_runs_the_newest() -> None:
    async with Host.load(save(RELOADED % 1), Options(write_log=lambda entry: None)) as host:
        with anyio.fail_after(20):
            house = host.spawn("house")
            save(RELOADED % 2)
            await host.reload()
            assert await house.result() == 2
