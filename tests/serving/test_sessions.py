"""Who acts with a token from outside: sessions, and programs that were handed one."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from tests.serving.running import SECONDS, asked, listening
from tests.serving.test_programs import PROGRAM, told
from tests.support.command_line import SWARM_HOST

GUEST = """
swarm.role "guest" { extends = "worker", deny = { "cancel_task" } }
swarm.worker "double" { run = function(_, n) return 2 * n end }
swarm.worker "above" { run = function() swarm.sleep(600) end }
swarm.main(function(_, ctx)
  local above = swarm.spawn "above"
  local s = swarm.attach { role = "guest", ttl = ctx.input.ttl, name = "Ann" }
  swarm.fs.write(ctx.input.folder .. "/new", swarm.json.encode {
    SWARM_TOKEN = s.token, SWARM_SOCKET = swarm.token.socket(), above = above.task_id,
  })
  swarm.fs.write(ctx.input.folder .. "/written", "")
  s.handle:join()
  swarm.fs.write(ctx.input.folder .. "/left", s.handle.status)
  swarm.sleep(600)
end)
"""


def test_a_session_shows_signs_of_life_starts_work_and_ends(tmp_path: Path) -> None:
    words = ("--input", json.dumps({"ttl": 600, "folder": str(tmp_path)}))
    with listening(tmp_path, GUEST, *words) as one:
        while not (tmp_path / "written").exists():
            assert one.process.poll() is None
        given = json.loads((tmp_path / "new").read_text())
        socket, above = given["SWARM_SOCKET"], given.pop("above")
        assert socket == str(one.path)
        environment = {**os.environ, "XDG_RUNTIME_DIR": str(tmp_path / "home"), **given}

        def said(*words: str, status: int = 0) -> str:
            done = subprocess.run(
                [*SWARM_HOST, *words],
                env=environment,
                capture_output=True,
                text=True,
                timeout=SECONDS,
            )
            assert done.returncode == status, done
            return done.stdout if status == 0 else done.stderr

        assert said("worker", "heartbeat") == ""
        task = said("spawn", socket, "double", "21").strip()
        assert said("join", "last", task) == "42\n"
        assert "final: 42" in said("tail", "last", task)
        assert "does not allow cancel_task" in said("cancel", "last", task, status=1)
        assert "token_task_mismatch" in said("join", "last", above, status=1)
        assert f"{above} above  running" in said("ps", "last")  # a person's, whoever asks
        assert "takes nothing" in said("worker", "detach", "now", status=2)
        assert said("worker", "detach") == ""
        while not (tmp_path / "left").exists():
            assert one.process.poll() is None
        assert (tmp_path / "left").read_text() == "pass"
        for name in ("heartbeat", "detach"):
            assert "(token_not_found)" in said("worker", name, status=1)


def test_a_program_with_a_token_knows_where_to_use_it(tmp_path: Path) -> None:
    said = told(
        tmp_path,
        f"""
    local shell = '"$HOST" spawn "$SWARM_SOCKET" double 4 && "$HOST" worker emit told'
    swarm.worker "double" {{ run = function(_, n) return 2 * n end }}
    swarm.worker "program" {{
      env = {{ SWARM_TOKEN = "{{prompt}}", HOST = "{PROGRAM}" }}, shell = shell,
    }}
    swarm.worker "none" {{ shell = 'printf %s "$SWARM_SOCKET"' }}
    swarm.worker "holder" {{ role = "operator", run = function(ctx)
      local token = ctx:token()
      swarm.exec {{ "sh", "-c", shell, env = {{ SWARM_TOKEN = token, HOST = "{PROGRAM}" }} }}
      swarm.call("program", token)
      local stages = {{}}
      for _, event in ipairs(ctx:output_tail()) do stages[#stages + 1] = event.stage end
      return {{ stages, swarm.call("none").raw }}
    end }}
    swarm.main(function() return swarm.call "holder" end)
    """,
    )
    assert json.loads(said) == [["told", "told"], ""]


def test_a_session_is_spoken_to_from_outside(tmp_path: Path) -> None:
    text = f"""
    swarm.role "guest" {{ extends = "observer", allow = {{ "start_task", "poll_task" }} }}
    swarm.role "boss" {{ extends = "operator",
      allow = {{ "pause_loop", "resume_loop", "inject_directive" }} }}
    local tries = 0
    swarm.worker "flaky" {{ run = function()
      tries = tries + 1
      if tries == 1 then error("not yet", 0) end
      return tries
    end }}
    swarm.worker "listens" {{ run = function(ctx)
      while true do
        local told = ctx:directives()
        if told[1] then return told[1] end
        swarm.sleep(0.02)
      end
    end }}
    swarm.worker "maker" {{ role = "boss", authority = "own", run = function()
      local guest = swarm.attach {{ role = "guest", ttl = 600 }}
      local boss = swarm.attach {{ role = "boss", ttl = 600 }}
      swarm.fs.write("{tmp_path}/new", swarm.json.encode {{ guest.token, boss.token }})
      swarm.fs.write("{tmp_path}/written", "")
      guest.handle:join()
      return "detached"
    end }}
    swarm.main(function() print(swarm.call "maker") swarm.sleep(600) end)
    """
    with listening(tmp_path, text) as one, one.connect() as client:
        while not (tmp_path / "written").exists():
            assert one.process.poll() is None
        guest, boss = json.loads((tmp_path / "new").read_text())

        def ask(method: str, token: str = guest, **params: Any) -> Any:
            answer = asked(client, method, token=token, **params)
            return answer.get("result", answer.get("error", {}).get("data", {}).get("code"))

        assert ask("heartbeat") is None
        assert ask("pause_loop") == "role_violation"
        seen = ask("subscribe_events")["next"]
        task = ask("start_task", boss, name="flaky")["task_id"]
        assert ask("poll_task", boss, task_id=task)["status"] == "failed"
        events = ask("subscribe_events", since=seen, types=["task_*"], wait=5)
        assert {event["type"] for event in events["events"]} >= {"task_created"}
        assert ask("subscribe_events", since=10**9)["events"] == []
        for types in (["tsk_pass"], ["task_pass", "tsk_*"], [5], "task_pass"):
            assert ask("subscribe_events", types=types) == "invalid_argument"
        assert ask("dispatch_attempt", boss, task_id=task) == {"task_id": task}
        assert ask("poll_task", boss, task_id=task)["value"] == 2
        trace = ask("read_trace", boss, task_id=task)
        assert [attempt["status"] for attempt in trace] == ["failed", "pass"]
        assert "not yet" in trace[0]["error"]["message"]
        listener = ask("start_task", boss, name="listens")["task_id"]
        assert ask("pause_loop", boss) == {"changed": True}
        assert ask("resume_loop", boss) == {"changed": True}
        assert ask("inject_directive", boss, task_id=listener, text="go") is None
        assert ask("poll_task", boss, task_id=listener)["value"] == "go"
        assert ask("detach_session") is None
        assert ask("heartbeat") == "token_not_found"
