"""Labels stand beside the names of workers in what a run says."""

from __future__ import annotations

import json
from pathlib import Path

from tests.support.command_line import run, script, untimed

REVIEWS = """
swarm.worker "review" {
  label = "review {input.path}",
  run = function(ctx, input)
    swarm.log.info "reading"
    if input.fails then error "no" end
  end,
}
swarm.worker "hidden" { label = false, run = print }
swarm.worker "wait" { run = function(ctx) ctx.cancel_token:wait() end }
"""


def test_in_log_lines_and_warnings(tmp_path: Path) -> None:
    text = """
    swarm.main(function()
      local h = swarm.spawn("review", { path = "a.md", fails = true })
      swarm.sleep(0.01)
      swarm.join(h)
      swarm.join(swarm.spawn("wait", "b.md", { timeout = 0.01 }))
    end)
    """
    lines = untimed(run(script(tmp_path, REVIEWS + text)).stderr).decode().splitlines()
    assert lines[0] == "- info: [review T-2 review a.md] reading"
    assert lines[1].startswith('- warn: [review T-2 review a.md] worker "review" failed: ')
    assert lines[2] == "2 tasks failed:"
    assert lines[3].startswith('  worker "review" [review a.md] (T-2): ')
    assert lines[4:] == ['  worker "wait" [b.md] (T-3): ran out of time after 0.01 s']


def test_in_errors_and_what_lies_behind_them(tmp_path: Path) -> None:
    text = """
    swarm.main(function()
      swarm.spawn("wait", "b.md", { timeout = 0.01 })
      swarm.call("review", { path = "a.md", fails = true })
    end)
    """
    said = run("--quiet", script(tmp_path, REVIEWS + text)).stderr.decode()
    assert 'because worker "review" [review a.md] (T-3) failed: ' in said
    text = 'swarm.main(function() swarm.spawn("wait", { "b.md" }, { timeout = 0.01 }) end)'
    said = run("--quiet", script(tmp_path, REVIEWS + text)).stderr.decode()
    assert 'worker "wait" [["b.md"]] ran out of time' in said


def test_in_reports_of_deadlocks(tmp_path: Path) -> None:
    text = """
    swarm.main(function()
      swarm.map("wait", { "a.md", "b.md" })
    end)
    """
    said = run(script(tmp_path, REVIEWS + text)).stderr.decode()
    assert "  T-2 wait [#1 a.md] at " in said
    assert '"wait" [#1 a.md] (T-2)' in said


def test_in_events_and_where_main_is_done_before_others(tmp_path: Path) -> None:
    text = """
    swarm.main(function()
      swarm.call("review", { path = "a.md" })
      swarm.spawn("wait", { password = "s3", n = 1 }, { timeout = 2, label = "theirs" })
      swarm.spawn("review", { path = "c.md" }, { label = false })
      swarm.spawn("hidden", "seen by nobody", { label = "mine" })
    end)
    """
    events = tmp_path / "events"
    done = run("--events", events, script(tmp_path, REVIEWS + text))
    assert 'main is done; waiting for worker "wait" [theirs] (T-3)' in done.stderr.decode()
    told = [json.loads(line) for line in events.read_text().splitlines()]
    created = [
        (event["name"], event.get("label"), event.get("input"))
        for event in told
        if event["type"] == "task_created"
    ]
    assert created == [
        ("main", None, None),
        ("review", "review a.md", '{"path":"a.md"}'),
        ("wait", "theirs", '{"n":1,"password":"***"}'),
        ("review", None, None),
        ("hidden", "mine", None),
    ]
    labels = {event.get("label") for event in told if event["task_id"] == "T-2"}
    assert labels == {"review a.md"}
    assert not any("input" in event for event in told if event["type"] != "task_created")
