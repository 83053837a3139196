"""What an audit tells, and what it does not."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import sys
from pathlib import Path

import anyio
import pytest

from swarm_host import Host, LoadError, Options
from swarm_host.audit.audit import Audit
from swarm_host.journal import questions
from swarm_host.vm.luajit import VM
from tests.audit.trails import head, of_type, rows, verified
from tests.serving.running import asked, bearing, listening
from tests.support.command_line import popen, run, script
from tests.support.waiting import hold, wait_for


def trail_of(folder: Path, text: str, *words: str, status: int = 0) -> Path:
    """The audit of a script."""
    path = folder / "trail"
    done = run("--audit", path, *words, script(folder, text), "one", "two")
    assert done.returncode == status, done
    assert head(done.stderr) == verified(path)["head"]
    return path


def test_it_begins_with_what_runs_and_ends_with_how_it_ended(tmp_path: Path) -> None:
    path = trail_of(tmp_path, "swarm.main(function() end)")
    digest = hashlib.sha256((tmp_path / "script.lua").read_bytes()).hexdigest()
    begun, generation, *_, ended = rows(path)
    assert begun["script"] == str(tmp_path / "script.lua")
    assert (begun["sha256"], begun["args"], begun["resumed"]) == (digest, 2, False)
    assert {"run_id", "version", "user", "pid"} <= begun.keys()
    assert generation["sources"] == {begun["script"]: digest}
    assert (ended["type"], ended["status"]) == ("run_ended", "pass")
    assert path.stat().st_mode & 0o777 == 0o600


def test_it_tells_who_started_what_and_how_each_ended(tmp_path: Path) -> None:
    text = """
    swarm.role "reader" { extends = "worker", deny = { "run_process" } }
    swarm.worker "read" { role = "reader", run = function() end }
    swarm.worker "bad" { retries = 1, run = function() error("a value: 4711") end }
    swarm.worker "no" { run = function() return swarm.blocked(4711, "4711 is no good") end }
    swarm.main(function()
      swarm.map("read", { "4711", "4711" })
      swarm.call("read", "4711", { label = "the one" })
      pcall(swarm.call, "bad")
      swarm.join(swarm.spawn "no")
      swarm.cancel(swarm.spawn("read", "4711"), "not needed")
      swarm.call(function() end)
    end)
    """
    path = trail_of(tmp_path, text)
    created = of_type(path, "task_created")
    reads = {"name": "read", "parent": "T-1", "role": "reader", "type": "task_created"}
    assert created == [
        {
            "name": "main",
            "by": "host",
            "role": "operator",
            "task_id": "T-1",
            "type": "task_created",
        },
        reads | {"task_id": "T-2", "label": "#1"},
        reads | {"task_id": "T-3", "label": "#2"},
        reads | {"task_id": "T-4", "label": "the one"},
        reads | {"name": "bad", "role": "worker", "task_id": "T-5"},
        reads | {"name": "no", "role": "worker", "task_id": "T-7"},  # 6 is an attempt
        reads | {"task_id": "T-8"},
        {
            "where": f"{tmp_path}/script.lua:12",
            "parent": "T-1",
            "role": "operator",
            "task_id": "T-9",
            "type": "task_created",
        },
    ]
    [retry] = of_type(path, "retry")
    assert (retry["task_id"], retry["attempt"], retry["status"]) == ("T-5", 1, "failed")
    ends = {
        row["task_id"]: {
            key: row[key] for key in ("type", "code", "attempt", "reason") if key in row
        }
        for row in rows(path)
        if row.get("task_id") and row["type"].startswith("task_") and row["type"] != "task_created"
    }
    assert ends["T-4"] == {"type": "task_pass"}
    assert ends["T-5"] == {"type": "task_failed", "code": "failed", "attempt": 2}
    assert ends["T-7"] == {"type": "task_blocked", "code": "blocked"}
    assert ends["T-8"]["type"] == "task_cancelled"
    assert "not needed" in ends["T-8"]["reason"]
    assert len(ends) == 8
    assert "4711" not in path.read_text(), "values are nobody's to see"


def test_refusals_are_told_of_roles_and_of_middleware(tmp_path: Path) -> None:
    text = """
    swarm.role "r" { extends = "worker", allow = { run_process = { "true" } } }
    swarm.worker "w" { role = "r", run = function() swarm.exec { "rm", "-rf", "x" } end }
    swarm.worker "v" { run = function() end }
    swarm.before("v", function() error("not on a Monday") end)
    swarm.main(function() pcall(swarm.call, "w") pcall(swarm.call, "v") end)
    """
    path = trail_of(tmp_path, text)
    of_role, of_hook = of_type(path, "refused")
    assert of_role["verb"] == "run_process"
    assert (of_role["role"], of_role["name"], of_role["task_id"]) == ("r", "w", "T-2")
    assert "rm" in of_role["what"]
    assert of_hook["by"].startswith("the before hook at ")
    assert of_hook["task_id"] == "T-3"


def test_a_script_that_is_refused_while_it_loads_is_told(tmp_path: Path) -> None:
    path = trail_of(tmp_path, "swarm.exec { 'true' }", status=2)
    assert rows(path)[0]["sha256"]
    assert rows(path)[-1]["status"] == "load_error"


def test_tokens_are_told_by_their_fingerprints(tmp_path: Path) -> None:
    text = """
    swarm.main(function(_, ctx)
      local token = ctx:token { uses = 2 }
      local less = swarm.token.attenuate(token, { ttl = 5 })
      swarm.token.revoke(less)
      return token
    end)
    """
    path = tmp_path / "trail"
    done = run("--audit", path, script(tmp_path, text))
    made = hashlib.sha256(done.stdout.strip()).hexdigest()[:12]
    minted, less, revoked = of_type(path, "token_minted", "token_attenuated", "token_revoked")
    assert (minted["fingerprint"], minted["caveats"]) == (made, {"uses": 2})
    assert (minted["task_id"], minted["attempt"], minted["role"]) == ("T-1", 1, "operator")
    assert less["of"] == made
    assert revoked["fingerprint"] == less["fingerprint"] != made
    assert done.stdout.strip().decode() not in path.read_text()


def test_secrets_are_masked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEY", 'hush "hush"')
    text = """
    local key, _ = swarm.env("KEY"), swarm.secret "KEY"
    swarm.worker "w" { run = function() end }
    swarm.main(function()
      swarm.call("w", nil, { label = "with " .. key })
      swarm.cancel(swarm.spawn "w", "because of " .. key)
    end)
    """
    path = trail_of(tmp_path, text)
    assert "hush" not in path.read_text()
    assert [row.get("label") for row in of_type(path, "task_created")][1] == "with ***"


def test_a_person_at_the_socket_is_told_and_a_bearer_by_its_token(tmp_path: Path) -> None:
    text = """
    swarm.worker "w" { run = function(ctx, n) if n then swarm.sleep(n) end end }
    swarm.main(function() swarm.sleep(600) end)
    """
    trail = tmp_path / "trail"
    with listening(tmp_path, text, "--audit", str(trail)) as one:
        task = one.say("spawn", "last", "w", "600").strip()
        one.say("cancel", "last", task, "enough")
        one.say("ps", "last")
        with one.connect() as client:
            told = asked(client, "start_task", name="w", token="no token")
            assert told["error"]["data"]["code"] == "bad_signature", told
    started, cancelled = of_type(trail, "asked")
    assert started == {"type": "asked", "verb": "start_task", "name": "w", "by": "person"}
    assert cancelled["verb"] == "cancel_task"
    assert (cancelled["task_id"], cancelled["reason"], cancelled["by"]) == (
        task,
        "enough",
        "person",
    )
    created = [row for row in of_type(trail, "task_created") if row["task_id"] == task]
    assert created[0]["by"] == "person"
    assert of_type(trail, "refused") == [
        {"type": "refused", "verb": "start_task", "code": "bad_signature", "by": "socket"}
    ]
    assert of_type(trail, "signal") == [{"type": "signal", "signal": "SIGTERM"}]
    assert of_type(trail, "run_ended") == [{"type": "run_ended", "status": "cancelled"}]
    assert verified(trail)["open"] is None


def test_what_is_started_with_a_token_has_its_fingerprint(tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_text(
        f"""#!{sys.executable}
import json, os, socket
s = socket.socket(socket.AF_UNIX)
s.connect(os.environ["SWARM_SOCKET"])
answers = s.makefile()
def ask(token):
    params = {{"name": "w", "token": token}}
    s.sendall(json.dumps({{"id": 1, "method": "start_task", "params": params}}).encode() + b"\\n")
    return json.loads(answers.readline())
print(os.environ["SWARM_TOKEN"], "result" in ask(os.environ["SWARM_TOKEN"]), ask(None))
"""
    )
    program.chmod(0o700)
    text = f"""
    swarm.worker "w" {{ run = function() end }}
    swarm.worker "p" {{ command = {{ "{program}" }}, env = {{ SWARM_TOKEN = "{{token}}" }} }}
    swarm.main(function() return swarm.call("p").raw end)
    """
    trail = tmp_path / "trail"
    done = run("--audit", trail, script(tmp_path, text))
    assert done.returncode == 0, done
    token, was_started, *_ = done.stdout.decode().split()
    minted = of_type(trail, "token_minted")[0]["fingerprint"]
    started = [row for row in of_type(trail, "task_created") if row["name"] == "w"]
    assert was_started == "True"
    assert token not in trail.read_text()
    assert [(row["token"], row["parent"]) for row in started] == [(minted, "T-2")]
    asked_for, refused = of_type(trail, "asked", "refused")
    assert asked_for == {"type": "asked", "verb": "start_task", "name": "w", "token": minted}
    assert (refused["code"], refused["by"]) == ("role_violation", "socket")


def test_a_token_that_is_not_allowed_a_verb_is_told(tmp_path: Path) -> None:
    trail = tmp_path / "trail"
    bears = bearing(tmp_path, 'verbs = { "poll_task" }', words=("--audit", str(trail)))
    with bears as (one, token), one.connect() as client:
        told = asked(client, "start_task", token=token, name="holder")
        assert told["error"]["data"]["code"] == "role_violation"
    refused = of_type(trail, "refused")
    assert [(row["verb"], row["name"]) for row in refused] == [("start_task", "holder")]


def test_a_reload_is_told_with_the_hash_of_each_source(tmp_path: Path) -> None:
    module = tmp_path / "module.lua"
    module.write_text("return 1")
    text = """
    local module = require "module"
    swarm.worker "w" { run = function() return module end }
    swarm.main(function() swarm.sleep(600) end)
    """
    path = script(tmp_path, text)
    trail = tmp_path / "trail"

    async def reload() -> None:
        async with Host.load(path, Options(audit=Audit(trail))) as host:
            module.write_text("return 2")
            assert (await host.reload()).switched
            path.write_text('swarm.worker "x" { role = "nobody", run = function() end }')
            with pytest.raises(LoadError, match="there is no role"):
                await host.reload()

    anyio.run(reload)
    first, second = of_type(trail, "generation")
    digests = [hashlib.sha256(text.encode()).hexdigest() for text in ("return 1", "return 2")]
    of_module = [found["sources"][str(module)] for found in (first, second)]
    assert of_module == digests
    assert first["sources"][str(path)] == second["sources"][str(path)]
    reloaded = of_type(trail, "reloaded")
    assert [(row["generation"], row["changed"]) for row in reloaded] == [(2, ["worker w"])]
    read = of_type(trail, "source_read")
    assert [row["path"] for row in read] == [str(module), str(module), str(path)]
    kinds = [row["type"] for row in rows(trail)]
    assert kinds.index("source_read") < kinds.index("generation") < kinds.index("reloaded")


PEOPLE = b"""
function(publish)
  local events, audit = require "swarm.events.run", require "swarm.events.audit"
  local masked, values = require "swarm.values.masked", require "swarm.values.values"
  masked.is_secret "KEY"
  masked.was_read("KEY", 'hu"sh')
  events.begin(false, false, true)
  local task = { id = 7, def = { name = "ask" } }
  events.publish("question_asked", task, {
    key = "T-7.1",
    to = "main",
    question = 'really hu"sh?',
    choices = values.array { "yes", "no" },
    show = values.file("a.diff", "text/x-diff"),
    kind = "choice",
  })
  events.publish("question_answered", task, {
    key = "T-7.1", value = { ok = true, why = { 'hu"sh', 1 } }, by = "ann", via = "terminal",
  })
  events.publish("question_withdrawn", task, { key = "T-7.2", reason = "timeout" })
  events.publish("senior_queried", task, { key = "T-7.3" })
  events.publish("senior_answered", task, { key = "T-7.3", value = "no" })
  events.publish("task_overridden", task, { value = 1, ok = true, by = "ann", via = "lua" })
  events.publish("task_marked", task, { verdict = "pass", by = "ann", via = "socket" })
  local rows = audit.take()
  events.begin(false, false, false)
  return rows
end
"""


def test_questions_answers_and_verdicts_are_told_as_they_are_published() -> None:
    """Whoever publishes an event of that name has it in the audit, and nothing else to do."""
    lines = VM()._runtime.eval(PEOPLE)().splitlines()
    told = {row.pop("type"): row for row in map(json.loads, lines)}
    assert list(told) == [
        *("question_asked", "question_answered", "question_withdrawn"),
        *("senior_queried", "senior_answered", "task_overridden", "task_marked"),
    ]
    for row in told.values():
        assert (row.pop("at") > 0, row.pop("task_id"), row.pop("name")) == (True, "T-7", "ask")
    asked_for = told["question_asked"]
    assert asked_for.pop("show") == {
        **{"kind": "file_ref", "path": "a.diff", "mime": "text/x-diff"}
    }
    assert asked_for == {
        **{"key": "T-7.1", "to": "main", "kind": "choice"},
        **{"question": "really ***?", "choices": ["yes", "no"]},
    }
    answered = told["question_answered"]
    assert answered["value"] == {"ok": True, "why": ["***", 1]}
    assert (answered["by"], answered["via"]) == ("ann", "terminal")
    assert told["task_overridden"] == {"value": 1, "ok": True, "by": "ann", "via": "lua"}
    assert told["task_marked"] == {"verdict": "pass", "by": "ann", "via": "socket"}


def test_a_question_is_told_as_it_was_shown_and_its_answer_whoever_gave_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = """
    swarm.operator("bob", function() return "fine", nil end)
    swarm.main(function()
      local first = swarm.ask("and you?", { to = "bob" })
      local choices = { "yes", "no" }
      return first .. ", " .. swarm.ask("ship it?", { choices = choices, show = "- old\\n+ new" })
    end)
    """
    script(tmp_path, text)
    done = run("--journal", "j", "--audit", "trail", "script.lua")
    assert done.returncode == 75, done
    path = tmp_path / "trail"
    of_bob, of_main = of_type(path, "question_asked")
    assert (of_bob["question"], of_bob["to"]) == ("and you?", "bob")
    shown = ("ship it?", ["yes", "no"], "- old\n+ new")
    assert (of_main["question"], of_main["choices"], of_main["show"]) == shown
    [answered] = of_type(path, "question_answered")
    assert (answered["value"], answered["by"], answered["key"]) == ("fine", "bob", of_bob["key"])
    questions.answer(Path("j"), of_main["key"], "yes", "ann", "I have read it")
    done = run("resume", "./j")
    assert (done.returncode, done.stdout) == (0, b"fine, yes\n"), done
    _, answered = of_type(path, "question_answered")
    assert (answered["value"], answered["by"], answered["reason"]) == (
        "yes",
        "ann",
        "I have read it",
    )
    assert answered["key"] == of_main["key"]
    assert verified(path)["runs"] == 2


def test_an_answer_over_the_socket_is_told_with_who_gave_it(tmp_path: Path) -> None:
    trail = tmp_path / "trail"
    text = """
    swarm.main(function() return swarm.ask("ship it?", { choices = { "yes", "no" } }) end)
    """
    with listening(tmp_path, text, "--on-ask=wait", "--audit", str(trail)) as one:
        hold(lambda: trail.exists() and bool(of_type(trail, "question_asked")))
        [question] = of_type(trail, "question_asked")
        one.say("answer", "last", question["key"], "yes")
        assert one.process.wait(timeout=20) == 0
    [came] = of_type(trail, "asked")
    assert (came["verb"], came["key"], came["by"]) == ("answer_query", question["key"], "person")
    [answered] = of_type(trail, "question_answered")
    assert (answered["key"], answered["value"]) == (question["key"], "yes")
    assert answered["by"]
    assert answered["via"]


def test_an_override_and_a_mark_are_told_with_who_made_them(tmp_path: Path) -> None:
    text = """
    swarm.worker "w" { run = function() return swarm.blocked("no", "I dare not") end }
    swarm.worker "senior" { role = "senior", authority = "own",
      run = function(_, h) swarm.override(h, "yes", true) end }
    swarm.worker "asks" { run = function() return swarm.ask "may I?" end }
    swarm.main(function()
      local h = swarm.spawn "w"
      swarm.join(h)
      swarm.call("senior", h)
      local asks = swarm.spawn "asks"
      while #swarm.pending() == 0 do swarm.yield() end
      swarm.mark(asks, "pass", "done by hand")
      return swarm.result(h) .. ", " .. swarm.result(asks)
    end)
    """
    path = trail_of(tmp_path, text)
    [overridden] = of_type(path, "task_overridden")
    assert (overridden["task_id"], overridden["value"], overridden["ok"]) == ("T-2", "yes", True)
    [marked] = of_type(path, "task_marked")
    assert (marked["task_id"], marked["verdict"]) == ("T-4", "pass")
    assert overridden["by"]
    assert marked["by"]


@pytest.mark.parametrize("signals", [1, 2])
def test_a_run_that_a_signal_ends_says_so(tmp_path: Path, signals: int) -> None:
    trail, up = tmp_path / "trail", tmp_path / "up"
    stays = "swarm.shield(function() swarm.sleep(600) end, { timeout = 600 })"
    text = f"""
    swarm.main(function()
      pcall(function() swarm.fs.write("{up}", "") swarm.sleep(600) end)
      {stays if signals == 2 else ""}
    end)
    """
    with popen("--no-journal", "--audit", trail, script(tmp_path, text)) as process:
        wait_for(up)
        process.send_signal(signal.SIGINT)
        hold(lambda: bool(of_type(trail, "signal")))

        def is_over() -> bool:  # one that comes as soon as the first is the same signal
            if signals == 2:
                process.send_signal(signal.SIGTERM)
            return process.poll() is not None

        hold(is_over)
    status = {1: "cancelled", 2: "killed"}[signals]
    assert of_type(trail, "signal")[0]["signal"] == "SIGINT"
    assert of_type(trail, "run_ended") == [{"type": "run_ended", "status": status}]
    assert verified(trail)["open"] is None


def test_a_trusted_script_that_ends_the_process_is_told(tmp_path: Path) -> None:
    path = tmp_path / "trail"
    text = 'swarm.worker "w" { run = function() os.exit(7) end }\n'
    text += 'swarm.main(function() swarm.call("w") end)'
    done = run("--trust", "--audit", path, script(tmp_path, text))
    assert done.returncode == 7
    assert of_type(path, "run_ended") == [{"type": "run_ended", "status": "exit"}]
    assert head(done.stderr) == verified(path)["head"]
    assert [row["name"] for row in of_type(path, "task_created")] == ["main", "w"]


def test_runs_go_on_in_one_file_one_after_another(tmp_path: Path) -> None:
    for _ in range(3):
        path = trail_of(tmp_path, "swarm.main(function() end)")
    assert verified(path)["runs"] == 3


def test_a_run_that_is_resumed_goes_on_in_the_audit_that_it_had(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = """
    swarm.worker "w" { command = { "true" } }
    swarm.main(function() swarm.call("w") if not swarm.fs.exists("mended") then error("no") end end)
    """
    script(tmp_path, text)
    assert run("--journal", "j", "--audit", "trail", "script.lua").returncode == 1
    Path("mended").touch()
    done = run("resume", "./j")
    assert done.returncode == 0, done
    path = tmp_path / "trail"
    assert head(done.stderr) == verified(path)["head"]
    begun = of_type(path, "run_started")
    assert [row["resumed"] for row in begun] == [False, True]
    assert begun[0]["run_id"] == begun[1]["run_id"]
    again = [row for row in of_type(path, "task_pass") if row["task_id"] == "T-2"]
    assert [row.get("reused") for row in again] == [None, True]
    done = run("rerun", "./j", "--from", "T-2", "--audit", "other")
    assert done.returncode == 0, done
    assert verified(tmp_path / "other")["runs"] == 1


def test_quiet_says_no_head(tmp_path: Path) -> None:
    path = script(tmp_path, "swarm.main(function() end)")
    assert run("--quiet", "--audit", tmp_path / "trail", path).stderr == b""


def test_a_script_sees_nothing_of_it(tmp_path: Path) -> None:
    text = """
    swarm.main(function()
      local names = {}
      for name in pairs(swarm) do names[#names + 1] = name end
      table.sort(names)
      return table.concat(names, " ")
    end)
    """
    path = script(tmp_path, text)
    with_one = run("--audit", tmp_path / "trail", path)
    assert with_one.stdout == run(path).stdout != b""
    assert "audit" not in os.fsdecode(with_one.stdout)
