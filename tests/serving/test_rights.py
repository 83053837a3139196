"""What a token lets its bearer do, and no more: budgets, uses at once, what ends meanwhile."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.serving.running import SECONDS, asked, bearing, listening
from tests.support.command_line import run, script

ASK = """
import json, os, signal, socket, sys, time
s = socket.socket(socket.AF_UNIX)
s.connect(os.environ["SWARM_SOCKET"])
answers = s.makefile()
def ask(method, **params):
    params["token"] = os.environ["SWARM_TOKEN"]
    s.sendall(json.dumps({"id": 1, "method": method, "params": params}).encode() + b"\\n")
    return json.loads(answers.readline())
"""


def said_by(tmp_path: Path, program: str, body: str, status: int = 0, fields: str = "") -> str:
    """What a script prints whose worker ``a`` runs a Python program that can ``ask``."""
    path = tmp_path / "program.py"
    path.write_text(ASK + program)
    worker = f"""
    swarm.worker "a" {{ env = {{ SWARM_TOKEN = "{{token}}" }}, {fields}
      command = {{ "{sys.executable}", "{path}" }} }}
    """
    done = run(script(tmp_path, worker + body))
    assert done.returncode == status, done
    return (done.stdout if status == 0 else done.stderr).decode()


SPENDER = """
swarm.worker "spender" { run = function(ctx, tokens) ctx:usage { tokens = tokens } end }
swarm.worker "twice" { run = function(ctx, tokens)
  swarm.call("spender", tokens) swarm.call("spender", tokens)
end }
"""


def ended(client: Any, token: str, name: str, amount: int) -> dict[str, Any]:
    """How a task ended that was started with a token."""
    started = asked(client, "start_task", token=token, name=name, input=amount)["result"]
    state: dict[str, Any] = asked(client, "poll_task", token=token, task_id=started["task_id"])
    result: dict[str, Any] = state["result"]
    return result


def test_a_budget_binds_all_that_is_started_with_it_together(tmp_path: Path) -> None:
    bears = bearing(tmp_path, "budget = { tokens = 10 }", SPENDER)
    with bears as (one, token), one.connect() as client:
        assert ended(client, token, "spender", 6)["status"] == "pass"
        twice = ended(client, token, "twice", 4)["error"]["message"]
        assert "spender" in twice
        assert "the budget of tokens" in twice
        over = ended(client, token, "spender", 1)["error"]
        assert over["code"] == "budget_exceeded"
        assert 'a token of worker "holder" is spent or reserved (10 of 10' in over["message"]


def test_a_budget_that_was_added_later_is_a_part_of_that_before(tmp_path: Path) -> None:
    body = (
        SPENDER
        + """
    swarm.worker "narrower" { role = "operator", run = function(ctx, path)
      local token = swarm.fs.read(path .. "/new")
      local narrow = swarm.token.attenuate(token, { budget = { tokens = 3 } })
      swarm.fs.write(path .. "/narrow", narrow)
    end }
    """
    )
    with bearing(tmp_path, "budget = { tokens = 10 }", body) as (one, token):
        task = one.say("spawn", "last", "narrower", str(tmp_path)).strip()
        one.say("join", "last", task)
        narrow = (tmp_path / "narrow").read_text()
        with one.connect() as client:
            assert ended(client, narrow, "spender", 3)["status"] == "pass"
            assert ended(client, narrow, "spender", 1)["error"]["code"] == "budget_exceeded"
            assert ended(client, token, "spender", 7)["status"] == "pass"
            assert ended(client, token, "spender", 1)["error"]["code"] == "budget_exceeded"


def test_usage_that_is_less_than_nothing_gives_nobody_more(tmp_path: Path) -> None:
    program = """
ask("emit_output", event={"type": "usage", "tokens": -1000})
ask("emit_output", event={"type": "usage", "tokens": 10})
"""
    body = """
    swarm.main { budget = { tokens = 10 }, run = function()
      swarm.call("a", "x")
      local _, err = pcall(swarm.call, "a", "x")
      return err.code
    end }
    """
    assert said_by(tmp_path, program, body) == "budget_exceeded\n"


def test_of_a_hundred_at_once_one_has_the_only_use(tmp_path: Path) -> None:
    with bearing(tmp_path, "uses = 1") as (one, token):
        event = {"type": "progress", "stage": "mine"}
        message = {"method": "emit_output", "params": {"token": token, "event": event}}
        clients = [one.connect() for _ in range(100)]
        for client in clients:
            client.sendall(json.dumps(message).encode() + b"\n")
        answers = [json.loads(client.makefile("rb").readline()) for client in clients]
        codes = [answer["error"]["data"]["code"] for answer in answers if "error" in answer]
        assert codes == ["token_uses_exhausted"] * 99
        assert one.say("tail", "last", "T-2").count("mine") == 1
        for client in clients:
            client.close()


def test_nothing_is_started_below_one_that_is_being_cancelled(tmp_path: Path) -> None:
    program = f"""
def end(*_):
    answer = ask("start_task", name="never")
    open("{tmp_path}/said", "w").write(answer["error"]["data"]["code"])
    sys.exit()
signal.signal(signal.SIGTERM, end)
open("{tmp_path}/ready", "w").close()
time.sleep(60)
"""
    body = f"""
    swarm.worker "never" {{ run = function() print "it began" end }}
    swarm.main(function()
      local h = swarm.spawn("a", "x")
      while not swarm.fs.stat("{tmp_path}/ready") do swarm.sleep(0.01) end
      swarm.cancel(h, "enough", {{ wait = true }})
      return swarm.fs.read("{tmp_path}/said")
    end)
    """
    assert said_by(tmp_path, program, body) == "cancelled\n"


def test_a_failure_that_was_asked_for_by_who_started_it_is_theirs(tmp_path: Path) -> None:
    program = """
task = ask("start_task", name="bad")["result"]["task_id"]
while ask("read_task_state", task_id=task)["result"]["status"] != "failed":
    pass
ask("post_result", value=ask("poll_task", task_id=task)["result"]["error"]["message"])
"""
    body = """
    swarm.worker "bad" { run = function() error("oops", 0) end }
    swarm.main(function() return swarm.call("a", "x") end)
    """
    assert said_by(tmp_path, program, body) == "oops\n"


def test_a_failure_that_a_person_has_seen_is_still_its_owners(tmp_path: Path) -> None:
    text = f"""
    swarm.worker "bad" {{ run = function()
      while not swarm.fs.stat("{tmp_path}/go") do swarm.sleep(0.01) end
      error("oops", 0)
    end }}
    swarm.main(function() swarm.spawn "bad" end)
    """
    with listening(tmp_path, text) as one, one.connect() as client:
        client.sendall(b'{"method": "poll_task", "params": {"task_id": "T-2"}}\n')
        with one.connect() as other:
            asked(other, "read_task_state")  # that one is served by now
        (tmp_path / "go").write_text("")
        assert b"oops" in client.recv(4096)
        assert one.process.wait(timeout=SECONDS) == 1


@pytest.mark.parametrize("value", ["[[[1]]]", '{"a": "no"}', "null", "7"])
def test_a_posted_result_keeps_to_the_output_schema(tmp_path: Path, value: str) -> None:
    program = f"ask('post_result', value=json.loads('{value}'))"
    body = """
    swarm.main(function()
      local ok, err = pcall(swarm.call, "a", "x")
      return { ok, err.code }
    end)
    """
    schema = 'output_schema = { type = "object", properties = { a = { type = "number" } } },'
    said = json.loads(said_by(tmp_path, program, body, fields=schema))
    assert said == [False, "invalid_value"]


EVENTS = [
    ({"type": "final", "ok": True}, None),
    ({"type": "progress", "stage": "x", "seq": 99, "at": 1, "dropped": 5}, {"stage"}),
    ({"type": "progress", "stage": 5}, None),
    ({"type": "progress", "stage": "a\0b"}, {"stage"}),
    ({"type": "usage", "tokens": 1, "seq": 7, "at": 1, "dropped": 9}, {"tokens"}),
    ({"type": "artifact", "name": "n", "content": {"kind": "file_ref"}}, {"name", "content"}),
    ({"type": "artifact", "value": 5}, None),
    ({"type": ["progress"]}, None),
    ({"seq": 1}, None),
]


@pytest.mark.parametrize(("event", "keys"), EVENTS)
def test_an_event_says_what_it_may_and_nothing_else(
    tmp_path: Path, event: dict[str, Any], keys: set[str] | None
) -> None:
    with bearing(tmp_path, "") as (one, token), one.connect() as client:
        answer = asked(client, "emit_output", token=token, event=event)
        assert ("result" in answer) == (keys is not None), answer
        state = asked(client, "read_task_state", token=token)["result"]
        found = [one for one in state["events"] if one["type"] != "file_written"]
        assert len(found) == (0 if keys is None else 1)
        for one_event in found:
            assert one_event.keys() == {"type", "seq", "at"} | (keys or set())
            assert one_event["seq"] == 1
            assert one_event["at"] > 1e9
