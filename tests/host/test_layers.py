"""The layers that come with the host, as one sees them from outside: the log, what is refused, what
the run says of operator kinds, and what a reload makes of a change."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import anyio
import pytest

from swarm_host import Host, Options
from tests.support.loading import MAIN, load, refused, swarm_host

SECRET = "sk-live1234"


def entries_of(folder: Path, text: str, **options: Any) -> list[dict[str, Any]]:
    """The log of a run under a virtual clock."""
    script = folder / "x.lua"
    script.write_text(text)
    entries: list[dict[str, Any]] = []

    async def run() -> None:
        given = Options(virtual_clock=True, write_log=entries.append, **options)
        async with Host.load(script, given) as host:
            await host.run()

    anyio.run(run)
    return entries


LOGGED = """
swarm.worker "step" {
  layers = { { "log", level = "%s" } },
  label = "{input.name}",
  retries = { max = 1, backoff = 0 },
  run = function(ctx, input)
    swarm.sleep(input.seconds)
    assert(ctx.attempt == 2 or input.name ~= "shaky", "not yet")
  end,
}
swarm.main(function()
  swarm.join(swarm.spawn("step", { name = "shaky", seconds = 1.5 }))
  local h = swarm.spawn("step", { name = "never", seconds = 1 })
  h:cancel("no need", { wait = true })
end)
"""


def test_log_says_when_an_attempt_begins_and_how_it_ended(tmp_path: Path) -> None:
    entries = entries_of(tmp_path, LOGGED % "warn")
    assert [(entry["level"], entry["label"], entry["message"]) for entry in entries] == [
        ("warn", "shaky", "attempt 1 began"),
        ("warn", "shaky", "attempt 1 ended: failed after 1.5 s"),
        ("warn", "shaky", "attempt 2 began"),
        ("warn", "shaky", "attempt 2 ended: pass after 1.5 s"),
        ("warn", "never", "attempt 1 ended: cancelled before it began"),
    ]
    assert {entry["name"] for entry in entries} == {"step"}


def test_log_says_nothing_where_it_is_off(tmp_path: Path) -> None:
    assert entries_of(tmp_path, LOGGED % "off") == []


def test_long_hold_warns_in_the_log_while_the_attempt_runs(tmp_path: Path) -> None:
    text = """
swarm.worker "slow" { layers = { "long_hold" }, run = function()
  swarm.sleep(90)
  swarm.log.info("done")
end }
swarm.main(function() swarm.call("slow") end)
"""
    said = [(entry["level"], entry["message"]) for entry in entries_of(tmp_path, text)]
    assert said == [
        ("warn", "attempt 1 has run for 60 s and goes on: long_hold has after = 60"),
        ("info", "done"),
    ]


def test_the_timer_of_long_hold_wakes_nobody_and_keeps_no_run_alive(tmp_path: Path) -> None:
    waits = load(
        tmp_path,
        """
swarm.use("long_hold", { after = 3600 })
swarm.main(function() swarm.event():wait() end)
""",
    )
    assert waits.status == 1
    assert "deadlock: every worker waits" in waits.err
    ends = load(
        tmp_path,
        """
swarm.use("long_hold", { after = 3600 })
swarm.main(function() return 1 end)
""",
    )
    assert (ends.status, ends.out) == (0, "1\n")


def test_what_redact_masks_is_nowhere(tmp_path: Path) -> None:
    said = load(
        tmp_path,
        """
swarm.use("redact", { patterns = { "sk%-%w+" } })
swarm.worker "fails" { run = function(ctx)
  ctx:progress("asks with sk-live1234")
  error("401 for sk-live1234")
end }
swarm.worker "blocks" { run = function() return "sk-live1234", "not with sk-live1234" end }
swarm.main(function()
  swarm.join(swarm.spawn("fails"))
  swarm.call("blocks")
  return swarm.call("fails")
end)
""",
        *("--events", "events.jsonl"),
    )
    events = (tmp_path / "events.jsonl").read_text()
    assert said.status == 1
    assert "401 for [redacted]" in said.err
    assert "not with [redacted]" in said.err
    assert SECRET not in said.out + said.err + events
    assert "asks with [redacted]" in events


ESCALATED = """
swarm.operator("senior", function()
  if swarm.fs.exists("decided") then return { verdict = "go on" } end
end)
swarm.worker "asks" {
  layers = { "senior_escalation" },
  run = function() return "half", "who decides?" end,
}
swarm.main(function() return swarm.call("asks") end)
"""


def test_a_run_waits_for_its_senior_ends_and_is_resumed(tmp_path: Path) -> None:
    waits = load(tmp_path, ESCALATED, "--journal", "run.journal")
    assert waits.status == 75
    assert 'T-2.1 "asks": worker "asks" ended blocked: who decides? (to senior)' in waits.err
    (tmp_path / "decided").touch()
    done = swarm_host(tmp_path, "resume", "run.journal")
    assert done.status == 0, done
    assert json.loads(done.out) == {"original": "half", "senior_answer": {"verdict": "go on"}}


def test_long_hold_does_not_hold_up_a_run_that_waits_for_answers(tmp_path: Path) -> None:
    waits = load(
        tmp_path,
        """
swarm.use("long_hold", { after = 3600 })
swarm.worker "asks" { layers = { "operator_delegate" }, run = print }
swarm.main(function() return swarm.call("asks") end)
""",
        *("--journal", "run.journal"),
    )
    assert waits.status == 75


KINDS = """
swarm.operator_kind = "main_ai"
swarm.spawn_hook { before = function(ctx) print(ctx.name) end }
swarm.worker "step" {
  operator_kind = "composite",
  run = function(ctx) return ctx.operator_kind end,
}
swarm.main(function(_, ctx)
  local said = { main = ctx.operator_kind, step = swarm.call("step") }
  said.asked = swarm.call("step", nil, { operator_kind = "main_ai" })
  return said
end)
"""


@pytest.mark.parametrize(
    ("words", "said", "hooked"),
    [
        ((), {"main": "main_ai", "step": "composite", "asked": "main_ai"}, 3),
        (
            ("--operator-kind", "automate"),
            {"main": "automate", "step": "automate", "asked": "main_ai"},
            1,
        ),
    ],
)
def test_the_run_says_a_kind_after_the_spawn_and_before_the_script(
    tmp_path: Path, words: tuple[str, ...], said: dict[str, str], hooked: int
) -> None:
    done = load(tmp_path, KINDS, *words, "--json")
    assert json.loads(done.out) == said
    assert done.err.count("main\n") + done.err.count("step\n") == hooked


def test_python_says_a_kind_too(tmp_path: Path) -> None:
    script = tmp_path / "x.lua"
    script.write_text(KINDS)

    async def run() -> Any:
        async with Host.load(script, Options(operator_kind="automate")) as host:
            return (await host.run()).value

    assert anyio.run(run)["step"] == "automate"


def test_a_resumed_run_has_the_kind_of_the_run(tmp_path: Path) -> None:
    text = """
swarm.main(function(_, ctx)
  print(ctx.operator_kind)
  if not swarm.fs.exists("there") then
    swarm.fs.write("there", "")
    error("not yet")
  end
end)
"""
    words = ("--operator-kind", "composite", "--journal", "run.journal")
    assert load(tmp_path, text, *words).status == 1
    done = swarm_host(tmp_path, "resume", "run.journal")
    assert (done.status, done.out) == (0, "composite\n")


@pytest.mark.parametrize(
    ("text", "loaded"),
    [
        ("", set()),
        ('swarm.use("log", { level = "off" })', {"log"}),
        ('swarm.layer "log" {} swarm.use "log"', set()),
        ("swarm.spawn_hook { before = function() end }", {"main_ai"}),
    ],
)
def test_a_layer_is_loaded_once_a_script_names_it(
    tmp_path: Path, text: str, loaded: set[str]
) -> None:
    script = tmp_path / "x.lua"
    script.write_text(f"{text}\n{MAIN}")

    async def run() -> set[str]:
        async with Host.load(script) as host:
            modules = host.kernel._vm._runtime.eval("package.loaded")
            start = b"swarm.layers.stock."
            return {name.removeprefix(start).decode() for name in modules if name.startswith(start)}

    assert anyio.run(run) == {"all", *loaded}


@pytest.mark.parametrize(
    ("before", "after", "changed"),
    [
        ('swarm.operator_kind = "automate"', 'swarm.operator_kind = "main_ai"', "operator_kind"),
        (
            "swarm.spawn_hook { before = function() return 1 end }",
            "swarm.spawn_hook { before = function() return 2 end }",
            "hooks",
        ),
        (
            'swarm.use("long_hold", { after = 1 })',
            'swarm.use("long_hold", { after = 2 })',
            "hooks",
        ),
        (
            'swarm.worker "w" { run = print, layers = { { "redact", patterns = { "a" } } } }',
            'swarm.worker "w" { run = print, layers = { { "redact", patterns = { "b" } } } }',
            "worker w",
        ),
    ],
)
def test_a_reload_knows_what_has_changed_in_layers(
    tmp_path: Path, before: str, after: str, changed: str
) -> None:
    script = tmp_path / "x.lua"
    script.write_text(f"{before}\n{MAIN}")

    async def run() -> tuple[Any, Any]:
        async with Host.load(script) as host:
            same = await host.reload()
            script.write_text(f"{after}\n{MAIN}")
            return same, await host.reload()

    same, other = anyio.run(run)
    assert not same.switched
    assert other.switched
    assert list(other.changed) == [changed]


WRONG = {
    'swarm.use("long_hold", { afer = 1 })': 'layer "long_hold": there is no option "afer"; did you '
    "mean after?",
    'swarm.use("long_hold", { seconds = 1 })': 'there is no option "seconds"; it has after',
    'swarm.use("long_hold", { after = "1" })': 'a number of seconds above zero, and is "1"',
    'swarm.use("long_hold", { after = 0 })': "a number of seconds above zero, and is 0",
    'swarm.use("log", { level = "loud" })': 'layer "log": level must be "debug", "info", "warn", '
    '"error" or "off", and is "loud"',
    'swarm.use("main_ai", { after = 1 })': 'there is no option "after"; it has none',
    'swarm.use "redact"': 'layer "redact": patterns must be a list of Lua patterns, such as '
    '{ "sk%-%w+" }, and is nil',
    'swarm.use("redact", { patterns = {} })': "patterns must be a list of Lua patterns",
    'swarm.use("redact", { patterns = { "a", 5 } })': "each of patterns must be a Lua pattern, and "
    "is 5",
    'swarm.use("redact", { patterns = { "a", b = "c" } })': 'and has the key "b"',
    'swarm.use("redact", { patterns = { "sk-[" } })': 'the pattern "sk-[" has a [ without its ]',
    'swarm.use("redact", { patterns = { "sk-[]" } })': 'the pattern "sk-[]" has a [ without its ]',
    'swarm.use("redact", { patterns = { "sk%" } })': 'the pattern "sk%" ends with %',
    'swarm.use("redact", { patterns = { "(sk" } })': 'the pattern "(sk" has a ( without its )',
    'swarm.use("redact", { patterns = { "sk)" } })': 'the pattern "sk)" has a ) without its (',
    'swarm.use("redact", { patterns = { "sk%b(" } })': "has a %b without its two characters",
    'swarm.use("redact", { patterns = { "sk%f%w" } })': "has a %f without its set",
    'swarm.use("redact", { patterns = { "sk%1" } })': "names the capture %1, which is not there",
    'swarm.use("redact", { patterns = { "%d*" } })': 'the pattern "%d*" finds nothing at all too, '
    "and so would mask everywhere",
    'swarm.worker "v" { run = print, layers = { "long_hol" } }': "did you mean long_hold?",
    'swarm.use "nothing"': 'there is no layer "nothing"; layers: audit, log, long_hold, '
    "main_ai, operator_delegate, redact, senior_escalation",
    'swarm.use("senior_escalation", { on = "blocked" })': "on must be a list of statuses, such as "
    '{ "blocked" }, and is "blocked"',
    'swarm.use("senior_escalation", { on = { "timeout" } })': '"pass", "blocked" or "failed"',
    'swarm.use("senior_escalation", { to = 5 })': "to must be who is asked, a text, and is 5",
    'swarm.use("senior_escalation", { timeout = 0 })': "timeout must be a number of seconds above "
    "zero, and is 0",
    'swarm.use("operator_delegate", { to = "" })': "to must be the id of an operator, a text",
    'swarm.layer "l" { options = function() return 5 end } swarm.use "l"': "its function options "
    "returns a table, or false, and returned 5",
    'swarm.layer "l" { options = function() error("odd", 0) end } swarm.use "l"': 'layer "l": odd',
    "swarm.spawn_hook(5)": "swarm.spawn_hook takes a table such as { before =",
    "swarm.spawn_hook { befor = print }": 'swarm.spawn_hook has no field "befor"; did you mean '
    "before?",
    "swarm.spawn_hook { before = 5 }": "swarm.spawn_hook: before must be a function, and is 5",
    "swarm.spawn_hook {} swarm.spawn_hook {}": "swarm.spawn_hook is there twice; the first is at "
    "x.lua:2",
    "swarm.operator_kind = 5": 'swarm.operator_kind must be "main_ai", "automate" or "composite", '
    "and is 5",
    'swarm.worker "v" { run = print, operator_kind = "ai" }': 'worker "v": operator_kind must be '
    '"main_ai", "automate" or "composite", and is "ai"',
}


@pytest.mark.parametrize("definition", WRONG)
def test_what_is_wrong_names_its_line_and_what_is_meant(tmp_path: Path, definition: str) -> None:
    first = refused(tmp_path, f"\n{definition}\n{MAIN}")
    assert first.startswith("x.lua:2: ")
    assert WRONG[definition] in first


@pytest.mark.parametrize(
    "pattern",
    ["sk%-%w+", "[]]x", "[^]]", "[%]]x", "^(a)(b)%1", "%bxy", "%f[%w]a", "()a()", "a[%a-]"],
)
def test_a_pattern_that_lua_knows_is_taken(tmp_path: Path, pattern: str) -> None:
    said = load(tmp_path, f'swarm.use("redact", {{ patterns = {{ "{pattern}" }} }})\n{MAIN}')
    assert said.status == 0, said.err


def test_all_that_is_wrong_with_layers_is_found_by_check(tmp_path: Path) -> None:
    (tmp_path / "x.lua").write_text(
        'swarm.use("log", { level = 1 })\nswarm.use("long_hold", { after = 0 })\n' + MAIN
    )
    said = swarm_host(tmp_path, "check", "x.lua")
    assert "x.lua:1" in said.out
    assert "x.lua:2" in said.out
