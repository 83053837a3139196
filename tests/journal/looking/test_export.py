"""``swarm-host export``: JSON lines, and a trace that trace viewers open."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from swarm_host.journal.reading.lanes import Lanes, Slice
from tests.journal.looking.journals import Journals

SCRIPT = """
swarm.worker "step" { retries = { max = 1, backoff = 0 }, run = function(ctx, name)
  ctx:progress("tries", name)
  swarm.sleep(0.02)
  if ctx.attempt == 1 and name == "b" then error("not yet", 0) end
  swarm.spawn("leaf", name)
  swarm.sleep(0.02)
  return { name }
end }
swarm.worker "leaf" { run = function() swarm.sleep(0.01) end }
swarm.worker "waits" { concurrency = 1, run = function() swarm.sleep(1e6) end }
swarm.main(function() swarm.map("step", { "a", "b", "c" }) end)
"""


def test_json_lines_have_the_run_tasks_attempts_and_events(journals: Journals) -> None:
    name = journals.ran(SCRIPT)
    lines = [json.loads(line) for line in journals.said("export", name).splitlines()]
    assert [line["type"] for line in lines[:3]] == ["run", "task", "attempt"]
    by_type: dict[str, list[dict[str, Any]]] = {}
    for line in lines:
        by_type.setdefault(line.pop("type"), []).append(line)
    assert by_type["run"] == journals.objects("runs")
    assert by_type["task"] == journals.objects("show", name)
    attempts = [(one["task_id"], one["attempt"], one["status"]) for one in by_type["attempt"]]
    assert attempts[:5] == [
        ("T-1", 1, "pass"),
        ("T-2", 1, "pass"),
        ("T-3", 1, "failed"),
        ("T-3", 2, "pass"),
        ("T-4", 1, "pass"),
    ]
    assert len(attempts) == 8
    said = [(one["task_id"], one["attempt"], one["event"]["note"]) for one in by_type["event"]]
    assert said == [("T-2", 1, "a"), ("T-3", 1, "b"), ("T-4", 1, "c"), ("T-3", 2, "b")]
    times = [one["event"]["at"] for one in by_type["event"]]
    assert times == sorted(times)


def trace_of(journals: Journals, name: str) -> tuple[list[Any], list[Any]]:
    """The metadata and the slices of a trace, each of which has what the format asks for."""
    trace = json.loads(journals.said("export", name, "--format", "trace"))
    assert trace["displayTimeUnit"] == "ms"
    meta = [event for event in trace["traceEvents"] if event["ph"] == "M"]
    slices = [event for event in trace["traceEvents"] if event["ph"] == "X"]
    assert len(meta) + len(slices) == len(trace["traceEvents"])
    for one in slices:
        assert {"name", "cat", "ts", "dur", "pid", "tid", "args"} <= one.keys()
        assert isinstance(one["ts"], int)
        assert one["dur"] >= 0
    return meta, slices


def hidden(slices: list[tuple[int, int, int]]) -> list[Any]:
    """Slices (lane, start, end) that lie over another of their lane in part: a viewer would show
    one of the two in a wrong place, or not at all."""
    found = []
    for lane in {one[0] for one in slices}:
        inside: list[int] = []
        here = sorted((start, -end) for at, start, end in slices if at == lane)
        for start, end in ((start, -end) for start, end in here):
            while inside and inside[-1] <= start:
                inside.pop()
            if inside and end > inside[-1]:
                found.append((lane, start, end))
            inside.append(end)
    return found


def test_in_a_trace_no_slice_hides_another(journals: Journals) -> None:
    name = journals.ran(SCRIPT)
    meta, slices = trace_of(journals, name)
    assert hidden([(one["tid"], one["ts"], one["ts"] + one["dur"]) for one in slices]) == []
    main, a, b, first, second, c, *leaves = slices
    assert [one["name"] for one in slices[:6]] == [
        "main",
        "step [#1 a]",
        "step [#2 b]",
        "attempt 1",
        "attempt 2",
        "step [#3 c]",
    ]
    assert main["args"] == {"task_id": "T-1", "status": "pass", "attempts": 1}
    of_steps = {a["tid"], b["tid"], c["tid"]}
    assert len(of_steps) == 3
    assert main["tid"] in of_steps
    assert b["tid"] == first["tid"] == second["tid"]
    assert b["args"]["attempts"] == 2
    assert b["ts"] == first["ts"] <= first["ts"] + first["dur"] <= second["ts"]
    assert second["ts"] + second["dur"] == b["ts"] + b["dur"]
    lanes = {one["name"]: one["tid"] for one in leaves}
    assert lanes == {f"leaf [{one}]": of["tid"] for one, of in (("a", a), ("b", b), ("c", c))}
    names = [event["args"]["name"] for event in meta if event["name"].endswith("_name")]
    assert names == [f"swarm-host script.lua ({name})", "lane 1", "lane 2", "lane 3"]


def test_in_the_trace_of_a_killed_run_what_was_in_flight_ends_with_it(journals: Journals) -> None:
    text = """
    swarm.worker "waits" { concurrency = 1, run = function() swarm.sleep(1e6) end }
    swarm.main(function() swarm.map("waits", { 1, 2 }) end)
    """
    with journals.running(text) as process:
        counts = {"running": 2, "pending": 1}
        journals.until(lambda: journals.objects("runs")[0].get("counts") == counts)
        process.kill()
    [name] = journals.ids()
    _, slices = trace_of(journals, name)
    assert [one["args"]["status"] for one in slices] == ["interrupted", "interrupted"]
    [run] = journals.objects("runs")
    ends = [one["ts"] + one["dur"] for one in slices]
    assert ends == [pytest.approx((run["ended"] - run["began"]) * 1e6, abs=1)] * 2


@pytest.mark.parametrize("seed", range(20))
def test_in_no_lane_does_a_slice_lie_over_another_in_part(seed: int) -> None:
    chance = random.Random(seed)
    given = [Slice(1, 0, 0, 100)]
    for task in range(2, 200):
        above = chance.choice(given)
        start = chance.randint(above.start, above.end)
        outlives = chance.random() < 0.1
        end = chance.randint(start, 150 if outlives else max(start, above.end))
        given.append(Slice(task, above.task, start, end))
    lanes = Lanes()
    for one in given:
        lanes.add(one)
    placed = lanes.given()
    assert (
        hidden([(lane, one.start, one.end) for lane, one in zip(placed, given, strict=True)]) == []
    )
    at_once = [sum(o.start <= one.start < o.end for o in given if o is not one) for one in given]
    assert max(placed) <= max(at_once)
