"""``--budget``: what a run may use; and what is said of workers that do not tell what they use."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.support.command_line import run, script
from tests.support.loading import load

FAKES = Path(__file__).resolve().parents[1] / "fakes" / "bin"

SPENDS = """
swarm.worker "spends" { run = function(ctx, cost) ctx:usage { cost = cost, tokens = 100 } end }
swarm.main(function(_, ctx)
  local begun = 0
  for i = 1, 5 do
    local h = swarm.spawn("spends", 0.75)
    if swarm.join(h) then begun = begun + 1 else print(select(2, swarm.join(h)).what) end
  end
  return { begun = begun, used = ctx.usage, left = ctx.budget }
end)
"""


def test_nothing_begins_once_it_is_spent(tmp_path: Path) -> None:
    said = load(tmp_path, SPENDS, "--budget", "cost=2", "--budget", "tokens=1000000")
    assert said.status == 0, said
    *what, result = said.out.splitlines()
    assert what == ["cost", "cost"]
    assert json.loads(result) == {
        "begun": 3,
        "used": {"cost": 2.25, "tokens": 300},
        "left": {"cost": 0, "tokens": 999700},
    }
    assert "the budget of cost of the run is spent or reserved (2.25 of 2 used)" in said.err


def test_an_amount_that_is_none_is_a_usage_error(tmp_path: Path) -> None:
    for word, why in {
        "cots=1": "cots is none of cost, seconds, tokens",
        "cost": "cost= is no number above zero",
        "cost=0": "cost=0 is no number above zero",
        "cost=nan": "is no number above zero",
    }.items():
        said = run("run", "--budget", word, script(tmp_path, SPENDS))
        assert said.returncode == 2
        assert why in said.stderr.decode()


def test_a_program_that_tells_no_usage_is_told_of_once(tmp_path: Path) -> None:
    text = """
      swarm.worker "silent" { command = { "true" } }
      swarm.main(function() swarm.map("silent", { 1, 2, 3 }) end)
    """
    said = load(tmp_path, text, "--budget", "cost=2")
    assert said.status == 0, said
    warning = 'worker "silent" tells no usage: the budget of cost does not count what it spends'
    assert said.err.count(warning) == 1
    assert "tells no usage" not in load(tmp_path, text, "--budget", "seconds=200").err


PRICED = """
  swarm.worker "x" { agent = "codex"%s }
  swarm.main(function()
    for i = 1, 4 do print(swarm.settle({ swarm.spawn("x", "look") })[1].status) end
  end)
"""


def test_what_an_agent_without_cost_uses_is_counted_by_its_prices(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{FAKES}{os.pathsep}{os.environ['PATH']}")
    priced = PRICED % ", prices = { input = 1, cached = 0.5, output = 10 }"  # 280 USD a million
    said = load(tmp_path, priced, "--budget", "cost=0.0005")
    assert said.out.split() == ["pass", "pass", "failed", "failed"]
    assert "(0.00056 of 0.0005 used)" in said.err
    said = load(tmp_path, PRICED % "", "--budget", "cost=0.0005")
    assert said.out.split() == ["pass"] * 4
    warning = 'worker "x" tells no cost: the budget of cost does not count what it spends'
    assert said.err.count(warning) == 1
