"""Middleware as one sees it from outside: hooks on main, the events file, the status of the run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import anyio
import pytest

from swarm_host import Host, Options
from tests.support.loading import MAIN, Said, load, refused

SECRET = "hunter2"


def events_of(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]


def run(folder: Path, text: str) -> Said:
    return load(folder, text, "--events", "events.jsonl", "--json")


def test_redaction_leaves_no_trace_in_the_events_file_and_the_result(tmp_path: Path) -> None:
    said = run(
        tmp_path,
        """
swarm.layer "redact" {
  event = function(_, event)
    if event.type == "progress" then
      event.note = "***"
    elseif event.content then
      event.content.value, event.reason = "***", event.reason and "***"
    end
    return event
  end,
}
swarm.use "redact"
swarm.after("*", function(ctx, result)
  if ctx.name == "leaky" then
    return { value = result.value .. "hunter2", ok = false, reason = "hunter2" }
  end
end)
swarm.worker "leaky" {
  run = function(ctx)
    ctx:progress("stage", "hunter2")
    ctx:artifact("file", "hunter2")
    return "hunter2", "hunter2"
  end,
}
swarm.main(function(_, ctx)
  ctx:progress("main", "hunter2")
  swarm.join(swarm.spawn("leaky"))
  swarm.join(swarm.spawn(function() return "hunter2" end))
  return "hunter2"
end)
""",
    )
    assert said.status == 0, said
    assert json.loads(said.out) == "***"
    text = (tmp_path / "events.jsonl").read_text()
    assert SECRET not in text + said.out + said.err
    outputs = [event for event in events_of(tmp_path) if event["type"] == "worker_output"]
    assert len(outputs) == 7


def test_a_dropped_event_is_counted_and_not_published(tmp_path: Path) -> None:
    said = run(
        tmp_path,
        """
swarm.layer "quiet" { event = function(_, e) if e.type == "progress" then return false end end }
swarm.use "quiet"
swarm.main(function(_, ctx) ctx:progress("one") ctx:progress("two") end)
""",
    )
    assert said.status == 0
    outputs = [event["event"] for event in events_of(tmp_path) if event["type"] == "worker_output"]
    assert len(outputs) == 1
    assert isinstance(outputs[0], dict)
    assert outputs[0]["dropped"] == 2


def test_hooks_stand_around_main(tmp_path: Path) -> None:
    said = run(
        tmp_path,
        """
swarm.before("main", function(ctx) print("before", ctx.name) end)
swarm.after("main", function(_, result) return { value = result.value + 1 } end)
swarm.settled("*", function(_, outcome) print("settled", outcome.status) end)
swarm.main(function() return 1 end)
""",
    )
    assert said.status == 0
    assert said.out.splitlines()[-1] == "2"
    assert "before\tmain" in said.out + said.err
    assert "settled\tpass" in said.out + said.err


def test_a_rejection_and_a_refusal_are_events_of_the_run(tmp_path: Path) -> None:
    run(
        tmp_path,
        """
swarm.role "bare" { allow = { "post_result" } }
swarm.worker "w" { run = print }
swarm.worker "b" { role = "bare", run = function() return (pcall(swarm.spawn, "w")) end }
swarm.before("w", function() error("no") end)
swarm.main(function() swarm.join(swarm.spawn("w")) return swarm.call("b") end)
""",
    )
    kinds = [event["type"] for event in events_of(tmp_path)]
    assert kinds.count("refused") == 2


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ('error("out of order")', "out of order"),
        ("swarm.sleep(100)", "x.lua:3 ran out of time after 5 s"),
    ],
)
def test_an_error_of_a_settled_hook_is_logged_and_fails_the_run(
    tmp_path: Path, body: str, message: str
) -> None:
    script = tmp_path / "x.lua"
    script.write_text(
        f"""
swarm.worker "w" {{ run = function() return 1 end }}
swarm.settled("w", function() {body} end)
swarm.main(function() return swarm.call("w") end)
"""
    )
    entries: list[dict[str, Any]] = []

    async def outcome() -> tuple[str, str]:
        options = Options(virtual_clock=True, write_log=entries.append)
        async with Host.load(script, options) as host:
            ended = await host.run()
            return ended.status, str(ended.error)

    status, error = anyio.run(outcome)
    assert status == "failed"
    assert message in error
    assert any(message in entry["message"] for entry in entries)


def test_every_settled_hook_that_fails_is_in_the_error_of_the_run(tmp_path: Path) -> None:
    said = run(
        tmp_path,
        """swarm.worker "w" { run = function() return 1 end }
swarm.settled("w", function() error("first") end)
swarm.settled("w", function() error("second") end)
swarm.main(function() return swarm.call("w") end)
""",
    )
    end = said.err[said.err.rindex("error:") :]
    assert end.startswith("error: x.lua:2: first")
    assert "x.lua:3: second" in end


def test_the_run_of_a_failing_settled_hook_ends_with_1(tmp_path: Path) -> None:
    said = run(
        tmp_path,
        'swarm.settled("main", function() error("out of order") end)\n'
        "swarm.main(function() return 1 end)\n",
    )
    assert said.status == 1
    assert "out of order" in said.err


WRONG = {
    'swarm.after("nobody", print)': 'names the worker "nobody", which does not exist',
    'swarm.after("w")': "swarm.after takes a function second, and got nil",
    "swarm.before(5, print)": "a glob, a list of these or a function first, and got 5",
    "swarm.around({}, print)": "a glob, a list of these or a function first, and got a table",
    'swarm.settled({ "*", "nobody" }, print)': 'names the worker "nobody", which does not exist',
    'swarm.after(function() error("odd") end, print)': "odd",
    'swarm.layer "l" { aftre = print }': 'layer "l" has no field "aftre"; did you mean after?',
    'swarm.layer "l" { after = 5 }': 'layer "l": after must be a function, and is 5',
    'swarm.layer "l" (5)': 'layer "l" takes a table, and got 5',
    'swarm.layer "l"': 'layer "l" has no table: write swarm.layer "l" {',
    'swarm.layer "l" {} swarm.layer "l" {}': 'layer "l" is defined twice; the first is at',
    'swarm.use "nothing"': 'there is no layer "nothing"',
    "swarm.use(5)": "swarm.use takes a layer's name, and got 5",
    'swarm.layer "l" {} swarm.use("l", 5)': "swarm.use takes a table of options, and got 5",
    'swarm.worker "v" { run = print, layers = { "l" } }': 'there is no layer "l"',
    'swarm.worker "v" { run = print, layers = { {} } }': "takes a layer's name, and got nil",
    'swarm.worker "v" { run = print, layers = { l = {} } }': 'is a list, { "name", { "name"',
    'swarm.worker "v" { run = print, layers = "l" }': 'layers must be a list, and is "l"',
}


@pytest.mark.parametrize("definition", WRONG)
def test_wrong_middleware_names_its_line_and_what_is_wrong(tmp_path: Path, definition: str) -> None:
    first = refused(tmp_path, f'{definition}\nswarm.worker "w" {{ run = print }}\n{MAIN}')
    assert first.startswith("x.lua:1: ")
    assert WRONG[definition] in first
