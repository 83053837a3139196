"""Options and words that calls do not know are found; what is not known is left alone."""

from __future__ import annotations

import re
from pathlib import Path

import anyio
import pytest

from swarm_host.checking.types import Named, Word, types
from swarm_host.vm.kernel import Kernel
from tests.checking.finding import found_in, loaded, places

ROOT = Path(__file__).resolve().parents[2]
PUBLISHED = re.compile(r"publish(?:_run)?\(\s*\"(\w+)\"")

DEFINED = (
    'swarm.role "reviewer" { extends = "observer" } swarm.pool "api" { slots = 1 }\n'
    'swarm.worker "lint" { run = function(ctx) %s end }\n'
    "swarm.main(function(args) %s end)\n"
)

# A statement of main, where the finding is in its line, and what it says.
WRONG = {
    'swarm.attach { role = "reviewr" }': (
        23,
        'swarm.attach: there is no role "reviewr"; did you mean reviewer?',
    ),
    'swarm.attach { rol = "operator" }': (
        16,
        'swarm.attach has no option "rol"; did you mean role?',
    ),
    'swarm.attach { role = "worker", caveats = { verbs = { "read_trac" } } }': (
        55,
        'swarm.attach: there is no verb "read_trac"; did you mean read_trace?',
    ),
    'swarm.attach { role = "worker", caveats = { verb = {} } }': (
        45,
        'swarm.attach: caveats has no option "verb"; did you mean verbs?',
    ),
    'swarm.subscribe "task_faild"': (
        17,
        'swarm.subscribe: there is no type of events "task_faild"; did you mean task_failed?',
    ),
    'swarm.subscribe { "task_*", "taks_*" }': (
        29,
        'swarm.subscribe: there is no type of events "taks_*"',
    ),
    'swarm.retry "lint"': (
        13,
        'swarm.retry: "lint" is no task_id, such as "T-12"; '
        "swarm.spawn starts a worker by its name",
    ),
    'swarm.mark("T-1", "fine")': (
        19,
        'swarm.mark does not take "fine"; it is one of pass, blocked',
    ),
    'swarm.unpark "apii"': (14, 'swarm.unpark: there is no pool "apii"; did you mean api?'),
    'swarm.unpark "other"': (14, 'swarm.unpark: there is no pool "other"; there are api'),
    'swarm.token.verify(args[1], "heartbeet")': (
        29,
        'swarm.token.verify: there is no verb "heartbeet"; did you mean heartbeat?',
    ),
    "swarm.token.attenuate(args[1], { use = 1 })": (
        34,
        'swarm.token.attenuate has no option "use"; did you mean uses?',
    ),
    'swarm.call("lint", nil, { timout = 3 })': (
        27,
        'swarm.call has no option "timout"; did you mean timeout?',
    ),
    'swarm.call("lint", nil, { retries = { max = 1, bakoff = 2 } })': (
        48,
        'swarm.call: retries has no option "bakoff"; did you mean backoff?',
    ),
    'local h = swarm.spawn "lint" h:join { ["timeot"] = 5 }': (
        40,
        'h:join has no option "timeot"; did you mean timeout?',
    ),
    'local s = swarm.open "lint" s:follow { attempt = "al" }': (
        50,
        's:follow: attempt cannot be "al"; did you mean all?',
    ),
    'swarm.supervise { children = { { "lint", restart = "allways" } } }': (
        52,
        'swarm.supervise: children.restart cannot be "allways"; '
        "it is one of permanent, transient, temporary",
    ),
    'swarm.graph { a = { "lint", need = {} } }': (
        29,
        'swarm.graph: a has no option "need"; did you mean needs?',
    ),
    'swarm.exec { "ls", timeot = 5 }': (
        20,
        'swarm.exec has no option "timeot"; did you mean timeout?',
    ),
}

NEAR = {
    "what there is": """swarm.attach { role = "reviewer", ttl = 5 } swarm.attach { role = "senior" }
      for event in swarm.subscribe { "task_?ass", "*", "retry" } do print(event) end
      swarm.retry "T-12" swarm.unpark "api" swarm.mark("T-1", "pass")
      swarm.exec { "ls", "-l", cwd = "." }""",
    "what is not written out": """local options = { timout = 3 }
      swarm.call("lint", nil, options) swarm.attach { role = args[1], [args[2]] = 1 }
      swarm.subscribe(args[1]) swarm.subscribe(function() return true end)""",
    "texts of a script's own": """swarm.call("lint", { timout = "x" }, {
        retries = { max = 1, on = { "my_code" } }, meta = { anything = 1 }, label = "x",
      })
      swarm.http.get("http://x", { headers = { ["X-Mine"] = "1" }, json = { any = "text" } })
      swarm.graph { mine = { "lint", input = { file = "x" } } }""",
    "methods of something else": """local pool = { join = print, token = print }
      pool:join { timout = 5 } pool.token { verb = 1 }
      local h = swarm.spawn "lint" h = pool h:join { timout = 5 }""",
    "a swarm of its own": "local swarm = { attach = print } swarm.attach { rol = 1 }",
    "a ctx that no worker has": "local function f(ctx) ctx:token { verb = 1 } end f(args)",
}


@pytest.mark.parametrize("statement", WRONG)
def test_what_does_not_exist_is_found(statement: str, tmp_path: Path) -> None:
    column, message = WRONG[statement]
    findings = found_in(tmp_path, DEFINED % ("", f'swarm.call "lint"\n{statement}'))
    assert places(findings) == [f"unknown-word 4:{column}"]
    assert findings[0].message == message


def test_the_ctx_of_a_worker_is_known(tmp_path: Path) -> None:
    text = DEFINED % ('ctx:token { verbs = { "start_tsk" } } ctx:join { timeot = 1 }', "")
    wrong = [one for one in found_in(tmp_path, text) if one.id == "unknown-word"]
    assert [one.message for one in wrong] == [
        'ctx:token: there is no verb "start_tsk"; did you mean start_task?',
        'ctx:join has no option "timeot"; did you mean timeout?',
    ]


@pytest.mark.parametrize("name", NEAR)
def test_what_is_not_known_is_left_alone(name: str, tmp_path: Path) -> None:
    text = DEFINED % ("", f'swarm.call "lint"\n{NEAR[name]}')
    assert [one for one in found_in(tmp_path, text) if one.id == "unknown-word"] == []


def test_roles_of_a_module_and_of_a_loop_are_known(tmp_path: Path) -> None:
    (tmp_path / "more.lua").write_text('swarm.role "of a module" { extends = "worker" }\n')
    text = """require "more"
    for n = 1, 2 do swarm.role("r" .. n, { extends = "worker" }) end
    swarm.main(function()
      swarm.attach { role = "of a module" } swarm.attach { role = "r2" }
      swarm.attach { role = "r3" }
    end)"""
    assert places(found_in(tmp_path, text)) == ["unknown-word 5:29"]


def test_a_script_that_does_not_load_may_have_any_role(tmp_path: Path) -> None:
    text = """for n = 1, 2 do swarm.role("r" .. n, { extends = "worker" }) end
    swarm.main(function() swarm.attach { role = "r2" } end)
    error "not yet" """
    assert [one.id for one in found_in(tmp_path, text)] == ["load-error"]


def test_what_a_spec_expects_to_fail_is_left_alone(tmp_path: Path) -> None:
    text = """it("fails", function()
      assert.has_error(function() swarm.retry "nobody" end)
      swarm.retry "somebody"
    end)"""
    assert places(found_in(tmp_path, text, "a_spec.lua")) == ["unknown-word 3:19"]


def words(alias: str) -> set[str]:
    """The words of an alias."""
    return {one.text for one in types().choices(Named(alias)) if isinstance(one, Word)}


def test_the_verbs_are_those_of_the_host() -> None:
    assert words("swarm.Verb") == set(Kernel().verbs())


def test_the_roles_that_every_script_has_are_those_of_the_host(tmp_path: Path) -> None:
    script = tmp_path / "script.lua"
    script.write_text("")
    assert words("swarm.RoleName") == anyio.run(loaded, script).built_in("role")


def test_the_types_of_events_are_those_that_are_published() -> None:
    made: set[str] = set()
    for path in (ROOT / "lua" / "swarm").rglob("*.lua"):
        made |= set(PUBLISHED.findall(path.read_text()))
    final = words("swarm.Status") - {"pending", "running"}
    assert words("swarm.RunEvent") == made - {"task_"} | {f"task_{status}" for status in final}


def test_the_calls_are_known_with_what_they_inherit() -> None:
    known = types()
    assert len(known.calls) > 100
    assert known.method("swarm.HeldOpen", "join") == (Named("swarm.closed.JoinOptions"),)
    assert "mock.exec" in known.calls
