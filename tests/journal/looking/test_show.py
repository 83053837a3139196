"""``swarm-host show``: the tree of a run's tasks, and what is known of one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.journal.looking.journals import Journals

MIXED = r"""
swarm.worker "step" { label = "{input.name}", retries = { max = 1, backoff = 0 },
  run = function(ctx, step)
    ctx:progress("tries", step.name)
    swarm.fs.write("out", "") -- it is written down from here on
    if step.fails then
      error("no luck with " .. step.name, 0)
    elseif step.again and ctx.attempt == 1 then
      error("not yet", 0)
    elseif step.asks then
      return swarm.blocked({ half = 1 }, "needs a person")
    end
    ctx:usage { input = 1000, output = 20, cost = 0.01 }
    return step.name
  end,
}
swarm.worker "hidden" { label = false, run = function() end }
swarm.worker "leaf" { run = function(_, i) return i end }
swarm.worker "below" { run = function(_, n)
  for i = 1, n do swarm.spawn("leaf", { path = "a/" .. i, password = "x" }) end
end }
swarm.worker "slow" { timeout = 0.01, run = function() swarm.sleep(1e6) end }
swarm.main(function()
  swarm.settle {
    swarm.spawn("step", { name = "a" }),
    swarm.spawn("step", { name = "b", fails = true }),
    swarm.spawn("step", { name = "c", again = true }),
    swarm.spawn("step", { name = "d", asks = true }),
    swarm.spawn("hidden", "not to be seen"),
    swarm.spawn("below", 30),
    swarm.spawn "slow",
    swarm.spawn(function() end, nil, { key = "by key" }),
  }
  swarm.map("leaf", { "one", "two" })
end)
"""


def test_a_tree_has_labels_status_times_attempts_usage_and_what_went_wrong(
    journals: Journals,
) -> None:
    name = journals.ran(MIXED)
    head, *lines = journals.lines("show", name)
    assert head == (
        f"run {name}  script.lua  -  -  pass  41 tasks: 1 failed, 1 timeout, 1 blocked  "
        "2.0k tokens $0.02"
    )
    assert lines == [
        "T-1 main  pass  -  2.0k tokens $0.02",
        "  T-2 step [a]  pass  -  1.0k tokens $0.01",
        "  T-3 step [b]  failed  -  attempt 2  script.lua:7: no luck with b",
        "  T-4 step [c]  pass  -  attempt 2  1.0k tokens $0.01",
        "  T-5 step [d]  blocked  -  needs a person",
        "  T-6 hidden  pass  -",
        "  T-7 below [30]  pass  -",
        '    T-10 leaf [{"password":"***","path":"a/1"}]  pass  -',
        '    T-11 leaf [{"password":"***","path":"a/2"}]  pass  -',
        '    T-12 leaf [{"password":"***","path":"a/3"}]  pass  -',
        '    T-13 leaf [{"password":"***","path":"a/4"}]  pass  -',
        "    … 26 more passed",
        "  T-8 slow  timeout  -  ran out of time after 0.01 s",
        "  T-9 script.lua:32 [by key]  pass  -",
        "  T-42 leaf [#1 one]  pass  -",
        "  T-43 leaf [#2 two]  pass  -",
    ]


def test_all_has_every_task(journals: Journals) -> None:
    name = journals.ran(MIXED)
    lines = journals.lines("show", name, "--all")
    assert len(lines) == 1 + 41
    of_below = [f"T-{number} leaf" for number in range(10, 40)]
    assert [" ".join(line.split()[:2]) for line in lines if line.startswith("    T-")] == of_below
    below = lines.index("  T-7 below [30]  pass  -")
    assert lines[below + 1].startswith("    T-10 ")
    assert lines[below + 31].startswith("  T-8 ")


def test_of_one_task_it_has_all_that_there_is(journals: Journals) -> None:
    name = journals.ran(MIXED)
    assert journals.lines("show", name, "T-3") == [
        "T-3 step [b]  failed  -  attempt 2  script.lua:7: no luck with b",
        "spawned by: T-1 main",
        'input: {"fails":true,"name":"b"}',
        "attempt 1: failed  -  script.lua:7: no luck with b",
        "attempt 2: failed  -  script.lua:7: no luck with b",
        "error: script.lua:7: no luck with b (after 2 attempts)",
        "  script.lua:7: in function <line 3>",
        "  spawned at script.lua:26",
    ]
    assert journals.lines("show", name, "T-5") == [
        "T-5 step [d]  blocked  -  needs a person",
        "spawned by: T-1 main",
        'input: {"asks":true,"name":"d"}',
        'result: {"half":1}',
    ]
    assert journals.lines("show", name, "T-7")[-3:] == [
        '  T-12 leaf [{"password":"***","path":"a/3"}]  pass  -',
        '  T-13 leaf [{"password":"***","path":"a/4"}]  pass  -',
        "  … 26 more passed",
    ]
    assert journals.lines("show", name, "T-10")[2] == 'input: {"password":"***","path":"a/1"}'
    assert len(journals.lines("show", name, "T-7", "--all")) == 3 + 30


def test_what_must_not_be_seen_is_not(journals: Journals) -> None:
    name = journals.ran(MIXED)
    assert journals.lines("show", name, "T-6") == ["T-6 hidden  pass  -", "spawned by: T-1 main"]
    assert journals.objects("show", name, "T-6")[0]["input"] is None
    assert "not to be seen" not in journals.said("show", name, "--json")


def test_json_has_each_task_in_the_order_of_their_spawn(journals: Journals) -> None:
    name = journals.ran(MIXED)
    tasks = journals.objects("show", name)
    numbers = [*range(1, 40), 42, 43]  # further attempts have numbers too
    assert [task["task_id"] for task in tasks] == [f"T-{number}" for number in numbers]
    failed = tasks[2]
    times = [failed.pop(key) for key in ("spawned", "began", "ended")]
    assert times == sorted(times)
    assert failed.pop("seconds") == pytest.approx(times[2] - times[1], abs=0.001)
    error = failed.pop("error")
    assert (error["message"], error["attempts"]) == ("no luck with b", 2)
    assert failed == {
        "task_id": "T-3",
        "parent": "T-1",
        "name": "step",
        "kind": "lua",
        "label": "b",
        "status": "failed",
        "attempt": 2,
        "usage": {},
        "input": {"fails": True, "name": "b"},
        "value": None,
    }
    assert tasks[0]["parent"] is None
    assert tasks[8]["kind"] == "function"


def test_json_of_one_has_its_attempts_and_what_it_said(journals: Journals) -> None:
    name = journals.ran(MIXED)
    [task] = journals.objects("show", name, "T-4")
    assert [(one["attempt"], one["status"]) for one in task["attempts"]] == [
        (1, "failed"),
        (2, "pass"),
    ]
    first, last = task["attempts"]
    assert first["began"] <= first["ended"] <= last["began"] <= last["ended"]
    assert [event["type"] for event in task["events"]] == ["progress", "usage"]


FAILS_AMONG_MANY = """
swarm.worker "group" { run = function(_, g)
  for i = 1, 50 do swarm.spawn("leaf", { g = g, i = i }) end
end }
swarm.worker "leaf" { run = function(_, at)
  if at.g == 37 and at.i == 41 then
    swarm.fs.write("out", "")
    error("the one", 0)
  end
end }
swarm.main(function()
  for g = 1, 120 do swarm.settle { swarm.spawn("group", g) } end
end)
"""


def test_a_failure_among_many_is_shown_with_all_above_it(journals: Journals) -> None:
    lines = journals.lines("show", journals.ran(FAILS_AMONG_MANY))
    [leaf] = [line for line in lines if "the one" in line and "leaf" in line]
    place = lines.index(leaf)
    group = next(line for line in reversed(lines[:place]) if line.startswith("  T-"))
    assert "group [37]  failed" in group
    assert leaf.startswith("    T-")
    assert lines[-1] == "  … 115 more passed"
    assert "    … 45 more passed" in lines
    assert len(lines) < 40


def test_more_tasks_than_are_looked_at_are_counted_all_the_same(journals: Journals) -> None:
    text = """
    swarm.worker "leaf" { run = function(_, i) if i == 4500 then error("late", 0) end end }
    swarm.worker "last" { run = function() end }
    swarm.main(function()
      local many = {}
      for i = 1, 9000 do many[i] = swarm.spawn("leaf", i) end
      swarm.settle(many)
      swarm.fs.write("out", "")
      swarm.call "last"
    end)
    """
    name = journals.ran(text)
    assert journals.lines("show", name)[1:] == [
        "T-1 main  pass  -",
        "  T-2 leaf [1]  pass  -",
        "  T-3 leaf [2]  pass  -",
        "  T-4 leaf [3]  pass  -",
        "  T-5 leaf [4]  pass  -",
        "  T-4501 leaf [4500]  failed  -  script.lua:2: late",
        "  T-9002 last  pass  -",
        "  … 8995 more passed",
    ]
    assert len(journals.lines("show", name, "--all")) == 1 + 9002


def test_a_deep_tree_has_a_bounded_number_of_rows(journals: Journals) -> None:
    text = """
    swarm.worker "node" { run = function(_, depth)
      for _ = 1, depth > 0 and 6 or 0 do swarm.spawn("node", depth - 1) end
    end }
    swarm.main(function() swarm.call("node", 5) swarm.fs.write("out", "") end)
    """
    name = journals.ran(text)
    lines = journals.lines("show", name)
    assert "  9332 tasks" in lines[0]
    rows = [line for line in lines if line.lstrip().startswith("T-")]
    assert 200 <= len(rows) <= 203
    marks = [line for line in lines if "more passed" in line]
    assert len(rows) + len(marks) == len(lines) - 1


def test_values_that_json_cannot_say_are_shown_as_nearly_as_it_can(journals: Journals) -> None:
    text = r"""
    swarm.worker "gives" { run = function()
      swarm.fs.write("out", "")
      return {
        array = swarm.array {}, object = swarm.object {}, null = swarm.null,
        bytes = "a\255b", file = swarm.file("a.txt"), ["$file"] = 1,
      }
    end }
    swarm.main(function() swarm.call "gives" end)
    """
    name = journals.ran(text)
    value: Any = {"array": [], "bytes": "a\ufffdb", "file": "a.txt", "null": None, "object": {}}
    value["$file"] = 1
    assert journals.objects("show", name, "T-2")[0]["value"] == value
    said = journals.said("show", name, "T-2").splitlines()[-1]
    assert json.loads(said.removeprefix("result: ")) == value


LARGE = """
swarm.worker "gives" { run = function(_, n) swarm.fs.write("out", "") return ("y"):rep(n) end }
swarm.worker "takes" { run = function() end }
swarm.main(function()
  swarm.call("gives", 100000)
  swarm.call("takes", ("x"):rep(100000))
end)
"""


def test_large_values_come_from_the_files_beside_it(journals: Journals) -> None:
    name = journals.ran(LARGE)
    assert journals.objects("show", name, "T-2")[0]["value"] == "y" * 100000
    lines = journals.lines("show", name)
    assert lines[-1] == f"  T-3 takes [{'x' * 37}...]  pass  -"
    assert journals.lines("show", name, "T-2")[-1] == f"result: {'y' * 2000}… (100000 characters)"


def test_a_large_value_that_is_not_there_is_told_of(journals: Journals) -> None:
    name = journals.ran(LARGE)
    files = Path(f"{journals.path(name)}.files")
    for file in files.iterdir():
        file.unlink()
    assert journals.lines("show", name)[-1] == "  T-3 takes [...]  pass  -"
    said = journals.error("show", name, "T-2")
    assert said.startswith(f"{files}/")
    assert said.endswith(": No such file or directory")


def test_a_task_that_was_begun_anew_is_as_it_ended_last(journals: Journals) -> None:
    text = """
    local times = swarm.state("times", { n = 0 })
    swarm.worker "flaky" { run = function()
      swarm.fs.write("out", "")
      times.n = times.n + 1
      if times.n == 1 then error("at first", 0) end
    end }
    swarm.main(function()
      local h = swarm.spawn "flaky"
      swarm.join(h)
      swarm.retry(h)
      assert(swarm.join(h))
    end)
    """
    name = journals.ran(text)
    assert journals.lines("show", name)[0].endswith("  pass  2 tasks")
    assert journals.lines("show", name)[-1] == "  T-2 flaky  pass  -  attempt 2"


def test_a_run_that_goes_on_is_shown_as_it_is(journals: Journals) -> None:
    text = """
    swarm.worker "short" { run = function() swarm.fs.write("out", "") end }
    swarm.worker "long" { concurrency = 1, run = function(ctx)
      ctx:usage { tokens = 5 }
      swarm.sleep(1e6)
    end }
    swarm.main(function()
      swarm.call "short"
      for i = 1, 3 do swarm.spawn("long", i) end
    end)
    """
    with journals.running(text):
        counts = {"running": 2, "pending": 2, "pass": 1}
        journals.until(lambda: journals.objects("runs")[0].get("counts") == counts)
        lines = journals.lines("show", "last")
        assert lines[0].endswith("  running  5 tasks: 2 running, 2 pending  5 tokens")
        assert lines[1:] == [
            "T-1 main  running  -",
            "  T-2 short  pass  -",
            "  T-3 long [1]  running  -",
            "  T-4 long [2]  pending",
            "  T-5 long [3]  pending",
        ]
        assert journals.lines("show", "last", "T-3")[0] == "T-3 long [1]  running  -  5 tokens"


def test_a_task_that_there_is_not(journals: Journals) -> None:
    name = journals.ran(MIXED)
    assert journals.error("show", name, "T-99") == (
        f"T-99 is none of its tasks: `swarm-host show {name} --all` lists them"
    )
    assert journals.error("show", name, "step").startswith("step is no task: ")
