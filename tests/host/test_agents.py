"""What spec/kinds/agents.md says, of many agents at once and on the real clock."""

from __future__ import annotations

import json
import os
import shutil
import uuid
from pathlib import Path

import pytest

from tests.support.command_line import run, script
from tests.support.families import wait_until_gone

AGENTS = Path(__file__).resolve().parents[2] / "lua" / "swarm" / "agents"
FAKES = Path(__file__).resolve().parents[1] / "fakes" / "bin"

NIGHT = """
swarm.worker "agent" {
  agent = "claude",
  concurrency = 8,
  retries = { max = 1, on = { "limited" } },
  idle = 4,
  linger = 0.2,
  kill_after = 0.2,
  args = { "%(word)s" },
  env = { FAKE_AGENT = "{input.mode}", FAKE_AGENT_STATE = "%(state)s", FAKE_AGENT_LIMIT = "2" },
}

swarm.main(function()
  local handles = {}
  for mode, count in pairs { tools = 86, hang = 5, linger = 3, limit = 4, fail = 2 } do
    for n = 1, count do
      handles[#handles + 1] =
        { mode, swarm.spawn("agent", { mode = mode, prompt = mode .. n }) }
    end
  end
  local ends, sessions, used = {}, {}, { tokens = 0, cost = 0 }
  for _, pair in ipairs(handles) do
    local mode, h = pair[1], pair[2]
    local _, err = swarm.join(h)
    local how = mode .. " " .. h.status .. (err and " " .. err.code or "") .. " " .. h.attempt
    ends[how] = (ends[how] or 0) + 1
    sessions[h.session] = true
    for attempt = 1, h.attempt do
      for _, event in ipairs(h:output_tail { attempt = attempt }) do
        if event.type == "usage" then
          used.tokens = used.tokens + event.tokens
          used.cost = used.cost + (event.cost or 0)
        end
      end
    end
  end
  local count = 0
  for _ in pairs(sessions) do
    count = count + 1
  end
  return { ends = ends, sessions = count, used = used }
end)
"""


def test_a_hundred_agents_hang_linger_meet_limits_and_fail_and_all_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{FAKES}{os.pathsep}{os.environ['PATH']}")
    word, state = f"--night-{uuid.uuid4()}", tmp_path / "state"
    state.mkdir()
    text = NIGHT % {"word": word, "state": state}
    done = run("--json", script(tmp_path, text))
    found = json.loads(done.stdout)
    assert found["ends"] == {
        "tools pass 1": 86,
        "linger pass 1": 3,
        "limit pass 2": 4,
        "hang failed idle_timeout 1": 5,
        "fail failed agent_failed 1": 2,
    }
    assert found["sessions"] == 100  # those that met a limit went on in theirs
    turns = 86 + 3 + 4 * 2 + 2
    assert round(found["used"]["cost"], 6) == 0.0125 * turns
    assert found["used"]["tokens"] == 120 * turns + 9 * 5  # what hung has told of one message
    wait_until_gone(word)
    assert len(list(state.iterdir())) == 100


def test_an_agent_that_is_not_installed_names_its_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    text = """
    swarm.worker "x" { agent = "codex" }
    swarm.main(function() return swarm.call("x", "look") end)
    """
    done = run(script(tmp_path, text))
    assert done.returncode == 1
    assert b"to install it, npm install -g @openai/codex" in done.stderr


@pytest.mark.parametrize("name", ["claude", "codex", "gemini", "opencode"])
def test_the_file_of_an_agent_can_be_copied(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{FAKES}{os.pathsep}{os.environ['PATH']}")
    shutil.copy(AGENTS / f"{name}.lua", tmp_path)
    text = """
    swarm.agent "mine"(require "NAME")
    swarm.worker "x" { agent = "mine", env = { FAKE_AGENT = "tools" }, permissions = "all" }
    swarm.main(function() return swarm.call("x", "look") end)
    """
    done = run(script(tmp_path, text.replace("NAME", name)))
    assert done.stdout == b"you said: look\n", done.stderr


def test_what_is_not_known_is_logged_once_and_a_denial_once_a_worker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{FAKES}{os.pathsep}{os.environ['PATH']}")
    text = """
    for _, name in ipairs { "x", "y" } do
      swarm.worker(name) { agent = "claude", env = { FAKE_AGENT = "unknown,denied" } }
    end
    swarm.main(function()
      for _ = 1, 2 do
        swarm.call("x", "look")
        swarm.call("y", "look")
      end
    end)
    """
    said = run(script(tmp_path, text)).stderr.decode()
    assert said.count("of_tomorrow") == 1
    assert said.count('worker "x": agent claude was denied "Bash"') == 1
    assert said.count('worker "y": agent claude was denied "Bash"') == 1


def test_a_role_without_read_env_is_told_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{FAKES}{os.pathsep}{os.environ['PATH']}")
    text = """
    swarm.role "closed" { extends = "worker", deny = { "read_env" } }
    swarm.worker "x" { agent = "claude", role = "closed", inherit_env = INHERIT }
    swarm.main(function() return swarm.call("x", "look") end)
    """
    said = run(script(tmp_path, text.replace("INHERIT", "nil"))).stderr.decode()
    assert 'role "closed" does not allow read_env: an agent inherits the variables of' in said
    done = run(script(tmp_path, text.replace("INHERIT", "false")))
    assert done.stdout == b"you said: look\n", done.stderr
