"""What becomes of tasks where a run is resumed, and what they are given again."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from swarm_host.journal.questions import answer
from swarm_host.tokens.token import fingerprint
from tests.journal.test_cases import passed
from tests.support.command_line import popen, run, script
from tests.support.waiting import hold, wait_for

FAKES = Path(__file__).resolve().parents[1] / "fakes" / "bin"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def broken_off(text: str, *words: str) -> None:
    """Runs a script that fails at its end, as there is no file ``mended``; and makes that."""
    begun = run("--journal", "j", "--view", "off", *words, script(Path(), text))
    assert begun.returncode == 1, begun.stderr
    Path("mended").touch()


def killed(text: str, *words: str, when: str = "now") -> None:
    """Runs a script, and kills it once a file is there."""
    with popen("--journal", "j", *words, script(Path(), text)) as process:
        wait_for(Path(when), 60)
        process.send_signal(signal.SIGKILL)
    Path("mended").touch()


def resumed(*words: str) -> Any:
    """What main of the resumed run returned."""
    done = run("resume", "./j", "--json", *words)
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)


def lines(name: str = "ran") -> list[str]:
    return Path(name).read_text().split() if Path(name).exists() else []


END = """
  swarm.exec { "touch", "now" }
  if not swarm.fs.exists("mended") then
    if swarm.args[1] == "waits" then swarm.sleep(600) end
    error("broken off")
  end
"""


def test_recorded_values_are_made_once() -> None:
    broken_off(
        """
        swarm.worker "w" { run = function()
          local id = swarm.recorded("id", function()
            swarm.fs.append("ran", "made ")
            return { n = math.random(), text = "\\255", list = {} }
          end)
          local again = swarm.recorded("id", error)
          local none = swarm.recorded("none", function() swarm.fs.append("ran", "none ") end)
        """
        + END
        + """
          return { id.n, #id.text, again.n == id.n, none == nil }
        end }
        swarm.main(function() return swarm.call("w") end)
        """
    )
    result = resumed()
    assert result[1:] == [1, True, True]
    assert lines() == ["made", "none"]


def test_a_value_that_cannot_be_kept_is_refused() -> None:
    done = run(script(Path(), 'swarm.main(function() swarm.recorded("c", swarm.channel) end)'))
    assert b"script.lua:1: swarm.recorded: its value cannot be kept: there is a" in done.stderr
    for call, says in (
        ("swarm.recorded()", b'swarm.recorded takes a key first, such as "issue"'),
        ('swarm.recorded("k", 1)', b"swarm.recorded takes a function after its key"),
    ):
        assert says in run(script(Path(), f"swarm.main(function() {call} end)")).stderr


def test_random_numbers_ids_and_the_time_are_as_they_were() -> None:
    text = """
    local function numbers()
      return { math.random(), math.random(10), swarm.random(), swarm.uuid() }
    end
    swarm.worker "w" { run = function(_, i)
      swarm.sleep(i % 3 / 100)
      local mine = numbers()
      if i == 1 then
        END
      end
      return mine
    end }
    swarm.main(function()
      local first = { swarm.now(), numbers() }
      swarm.fs.append("ran", swarm.json.encode(first) .. "\\n")
      return { first, swarm.map("w", { 1, 2, 3, 4, 5 }) }
    end)
    """.replace("END", END)
    broken_off(text)
    first, _ = resumed()
    once, again = map(json.loads, Path("ran").read_text().splitlines())
    assert once == again == first


def test_each_task_has_random_numbers_of_its_own() -> None:
    text = """
    swarm.worker "w" { run = function() return math.random(1e9) end }
    swarm.main(function()
      math.randomseed(1)
      local a, all = math.random(1e9), swarm.map("w", { 1, 2, 3, 4, 5, 6, 7, 8 })
      math.randomseed(1)
      local seen, n = {}, 0
      for _, x in ipairs(all) do n, seen[x] = n + (seen[x] and 0 or 1), true end
      return { a == math.random(1e9), n }
    end)
    """
    assert run(script(Path(), text)).stdout == b"[true,8]\n"


def test_a_sleep_ends_when_it_was_to_end() -> None:
    text = """
    swarm.main(function()
      swarm.sleep(4)
      swarm.sleep(swarm.fs.exists("mended") and 1 or 600)
      return "slept"
    end)
    """
    with popen("--journal", "j", script(Path(), text)) as process:
        hold(lambda: kept("sleep") == 1)
        process.send_signal(signal.SIGKILL)
    Path("mended").touch()
    [before] = sleeps()
    time.sleep(max(0, before["till"] - time.time()))  # it has passed while nobody was there
    assert resumed() == "slept"
    first, second = sleeps()
    assert first == {**before, "order": 1}
    assert second["order"] == 2


def sleeps() -> list[dict[str, float]]:
    with sqlite3.connect("j") as db:
        rows = db.execute("SELECT value FROM kept WHERE kind='sleep' ORDER BY nth").fetchall()
    return [json.loads(text) for (text,) in rows]


def test_what_used_a_channel_of_others_runs_again_and_what_used_its_own_does_not() -> None:
    broken_off(
        """
        local jobs = swarm.channel(10)
        swarm.worker "outside" { run = function()
          swarm.fs.append("ran", "outside ") jobs:send(1)
        end }
        swarm.worker "sends" { run = function(_, c) swarm.fs.append("ran", "sends ") c:send(1) end }
        swarm.worker "owner" { run = function()
          swarm.fs.append("ran", "owner ")
          local own = swarm.channel(1)
          swarm.call("sends", own)
          return (own:recv())
        end }
        swarm.worker "plain" { run = function() swarm.fs.append("ran", "plain ") return 1 end }
        swarm.main(function()
          local out = { swarm.call("owner"), swarm.call("plain"), swarm.call("outside") or 0 }
        """
        + END
        + "return out end)"
    )
    Path("ran").unlink()
    assert resumed() == [1, 1, 0]
    assert lines() == ["outside"]


@pytest.mark.parametrize(
    "use",
    [
        "state.n = 1",
        'swarm.state("s").n = 1',
        'swarm.set_data("x", 1)',
        "swarm.result(other)",
        "swarm.output_tail(other)",
    ],
)
def test_what_used_the_run_s_own_things_runs_again(use: str) -> None:
    broken_off(
        f"""
        local state = swarm.state("s", {{ n = 0 }})
        swarm.worker "other" {{ run = function() return 1 end }}
        swarm.worker "w" {{ run = function(_, other)
          swarm.fs.append("ran", "w ") {use} return 1
        end }}
        swarm.main(function()
          local other = swarm.spawn("other")
          swarm.join(other)
          swarm.call("w", other)
        """
        + END
        + "return true end)"
    )
    assert resumed() is True
    assert lines() == ["w", "w"]


def test_a_detached_worker_that_had_not_ended_has_its_spawner_run_again() -> None:
    text = """
    swarm.worker "step" { run = function() swarm.fs.append("ran", "step ") end }
    swarm.worker "lasting" { run = function()
      swarm.fs.append("ran", "lasting ")
      if not swarm.fs.exists("mended") then swarm.sleep(600) end
    end }
    swarm.worker "spawner" { run = function()
      swarm.call("step")
      swarm.fs.append("ran", "spawner ")
      swarm.spawn("lasting", nil, { detached = true })
      return 1
    end }
    swarm.main(function()
      local one = swarm.call("spawner")
      swarm.exec { "touch", "now" }
      if not swarm.fs.exists("mended") then swarm.sleep(600) end
      return one
    end)
    """
    killed(text)
    assert resumed() == 1
    assert lines() == ["step", "spawner", "lasting", "spawner", "lasting"]


IN_FLIGHT = """
swarm.worker "w" {
  on_resume = "WORD",
  run = function()
    swarm.fs.append("ran", "w ")
    swarm.exec { "touch", "now" }
    if not swarm.fs.exists("mended") then swarm.sleep(600) end
    return 1
  end,
}
swarm.main(function()
  local h = swarm.spawn("w")
  local _, err = swarm.join(h)
  return { h.status, err and err.code or "", err and err.message or "" }
end)
"""


def test_on_resume_says_what_becomes_of_what_was_in_flight() -> None:
    killed(IN_FLIGHT.replace("WORD", "fail"))
    status, code, message = resumed()
    assert (status, code) == ("failed", "interrupted")
    assert message == (
        'was in flight as the run broke off, and its on_resume is "fail": '
        "look what it has done, and resume with --again"
    )
    assert lines() == ["w"]


def test_on_resume_ask_asks_before_it_runs_again() -> None:
    killed(IN_FLIGHT.replace("WORD", "ask"))
    for _ in range(2):  # nobody answers: it is asked again
        done = run("resume", "./j")
        assert done.returncode == 75
        asked = b'T-2.resume "w": Worker "w" was in flight as the run broke off.'
        assert asked in done.stderr, done.stderr
    answer(Path("j"), "T-2.resume", "again", "Ann", None)
    assert lines() == ["w"]
    assert resumed()[0] == "pass"
    assert lines() == ["w", "w"]


def test_on_resume_ask_asks_anew_where_it_was_broken_off_once_more() -> None:
    text = IN_FLIGHT.replace("WORD", "ask").replace('exists("mended")', 'exists("never")')
    killed(text)
    assert run("resume", "./j").returncode == 75
    answer(Path("j"), "T-2.resume", "again", "Ann", None)
    Path("now").unlink()
    with popen("resume", "./j") as process:
        wait_for(Path("now"))
        process.kill()
        process.wait()
    assert run("resume", "./j").returncode == 75
    answer(Path("j"), "T-2.resume", "leave", "Ann", None)
    assert resumed()[0] == "blocked"
    assert lines() == ["w", "w"]


def test_on_resume_ask_is_not_asked_with_again() -> None:
    killed(IN_FLIGHT.replace("WORD", "ask"))
    assert run("resume", "./j").returncode == 75
    assert resumed("--again")[0] == "pass"


def test_on_resume_again_and_a_word_that_is_none() -> None:
    killed(IN_FLIGHT.replace("WORD", "fail"))
    assert resumed("--again")[0] == "pass"
    assert lines() == ["w", "w"]
    done = run(script(Path(), IN_FLIGHT.replace("WORD", "retry")))
    assert b'on_resume must be "again", "ask" or "fail"' in done.stderr, done.stderr


def test_a_tail_comes_back_whole() -> None:
    broken_off(
        """
        swarm.worker "w" { retries = { max = 2, backoff = 0 }, run = function(ctx)
          if ctx.attempt < 2 then error("at first") end
          ctx:progress("half", "way")
          ctx:partial { 1, 2, text = nil }
          ctx:artifact("a", { bytes = "\\0\\255", list = swarm.array {}, object = {} })
          ctx:artifact("f", swarm.file("x.txt", "text/plain"))
          return swarm.null
        end }
        swarm.main(function()
          local h = swarm.spawn("w")
          swarm.join(h)
          local tail = {}
          for i, event in ipairs(swarm.output_tail(h)) do
            tail[i] = { event.type, event.seq, math.floor(event.at * 100), event.stage or 0 }
          end
          local a, f = h:artifact("a"), h:artifact("f")
          tail[#tail + 1] = { #a.bytes, #a.list, h.attempt, f.path, f.mime }
          swarm.fs.append("ran", swarm.json.encode(tail) .. "\\n")
        """
        + END
        + "return tail end)"
    )
    result = resumed()
    assert [json.loads(line) for line in Path("ran").read_text().splitlines()] == [result] * 2
    assert [event[0] for event in result[:-1]] == [
        "progress", "partial", "artifact", "artifact", "final",
    ]  # fmt: skip
    assert result[-1] == [2, 0, 2, "x.txt", "text/plain"]


def test_usage_of_before_counts_once() -> None:
    text = """
    swarm.worker "w" { run = function(ctx, i)
      ctx:usage { tokens = 10, cost = 0.5 }
      if i == 3 and not swarm.fs.exists("mended") then error("it had used something") end
      return i
    end }
    swarm.main { budget = { tokens = 55 }, run = function(_, ctx)
      local outcomes = swarm.settle { function() return swarm.map("w", { 1, 2, 3 }) end }
      local used = ctx.usage.tokens
      local more = swarm.spawn("w", 4)
      swarm.join(more)
      local refused = swarm.spawn("w", 5)
      swarm.join(refused)
      if not swarm.fs.exists("mended") then error("broken off") end
      return { used, ctx.usage.tokens, more.status, refused.status }
    end }
    """
    broken_off(text)
    # Before: 1, 2, 3 (failed), 4, 5: 50 of 55. Then 3 again: 60, and nothing more may begin.
    assert resumed() == [40, 60, "pass", "pass"]


def test_a_key_stands_for_a_worker_made_from_a_function() -> None:
    broken_off(
        """
        swarm.main(function()
          local function work() swarm.fs.append("ran", "w ") return { swarm.run_id } end
          local a = swarm.spawn(work, nil, { key = "a" })
          local b = swarm.spawn(work)
          swarm.join(a) swarm.join(b)
        """
        + END
        + "return swarm.result(a)[1] == swarm.run_id end)"
    )
    assert resumed() is True
    assert lines() == ["w", "w", "w"]


def test_ctrl_c_says_the_command_and_what_was_done_is_not_done_again() -> None:
    text = """
    swarm.worker "w" { command = { "sh", "-c", "echo $1 >> ran", "sh", "{input}" } }
    swarm.main(function()
      local out = swarm.map("w", { 1, 2, 3 })
      swarm.fs.write("now", "")
      if not swarm.fs.exists("mended") then swarm.sleep(600) end
      return #out
    end)
    """
    with popen(script(Path(), text)) as process:
        wait_for(Path("now"))
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
    Path("mended").touch()
    assert process.returncode == 130
    found = re.search(r"^resume it with: swarm-host (resume [0-9a-f]{12})$", err.decode(), re.M)
    assert found, err
    for _ in range(2):  # and once it has passed, its result
        assert run(*found[1].split()).stdout == b"3\n"
    assert sorted(lines()) == ["1", "2", "3"]


def test_a_kill_in_the_middle_of_a_resume_is_one_more() -> None:
    text = """
    swarm.worker "w" { command = {
      "sh", "-c", "echo $1 >> ran; test $1 -le $(cat upto) || sleep 600", "sh", "{input}",
    } }
    swarm.main(function() return #swarm.map("w", { 1, 2, 3, 4, 5, 6 }) end)
    """
    path, words = script(Path(), text), ["--journal", "j"]
    for upto in (2, 4):
        Path("upto").write_text(str(upto))
        with popen(*words, *([path] if upto == 2 else [])) as process:
            hold(lambda upto=upto: passed(Path("j")) == upto)  # type: ignore[misc]
            process.send_signal(signal.SIGKILL)
        words = ["resume", "./j"]
    Path("upto").write_text("6")
    assert run("resume", "./j").stdout == b"6\n"
    counts = {n: lines().count(str(n)) for n in range(1, 7)}
    assert counts[1] == counts[2] == 1
    assert counts[3] == counts[4] == 2


def test_secrets_are_masked_before_they_get_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_TOKEN", "hunter2-hunter2")
    text = """
    swarm.worker "w" { run = function(ctx, input) ctx:progress("has", input) return input end }
    local _ = swarm.secret "API_TOKEN"
    swarm.main(function() swarm.call("w", swarm.env("API_TOKEN")) swarm.exec { "true" } end)
    """
    assert run("--journal", "j", script(Path(), text)).returncode == 0
    for file in Path().glob("j*"):
        assert b"hunter2" not in file.read_bytes()


def test_large_contents_lie_beside_the_journal_and_come_back() -> None:
    broken_off(
        """
        swarm.worker "w" { run = function(ctx, text)
          swarm.fs.append("ran", "w ")
          ctx:artifact("a", text)
          return text .. "y"
        end }
        swarm.main(function()
          local h = swarm.spawn("w", ("x"):rep(200000))
          swarm.join(h)
        """
        + END
        + "return { #swarm.result(h), #h:artifact('a') } end)"
    )
    assert resumed() == [200001, 200000]
    assert lines() == ["w"]
    kept = sorted(Path("j.files").iterdir())
    assert all(re.fullmatch("[0-9a-f]{64}", path.name) for path in kept)
    assert len(kept) >= 2


def test_sources_are_those_of_the_run_and_with_takes_others() -> None:
    Path("words.lua").write_text('return { word = "as it was" }')
    text = """
    local words = require "words"
    swarm.main(function()
    """ + END + "return words.word end)"  # fmt: skip
    broken_off(text)
    Path("words.lua").write_text('return { word = "new" }')
    said = run("resume", "./j")
    assert said.stdout == b"as it was\n"
    assert (
        b"words.lua has changed since the run began; it goes on as it was recorded" in said.stderr
    )
    Path("mended").unlink()
    again = run("--journal", "k", "script.lua")
    assert again.returncode == 1
    Path("mended").touch()
    assert run("resume", "./k", "--with", "script.lua").stdout == b"new\n"


@pytest.mark.parametrize("agent", ["claude", "codex"])
def test_an_agent_goes_on_in_its_session(agent: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{FAKES}{os.pathsep}{os.environ['PATH']}")
    Path("sessions").mkdir()
    text = """
    swarm.worker "agent" {
      kind = "agent", agent = "AGENT",
      env = { FAKE_AGENT_STATE = "sessions", FAKE_AGENT = "{env.MODE}" },
    }
    swarm.main(function()
      local h = swarm.spawn("agent", "do it")
      swarm.join(h)
      return { h.status, h.session }
    end)
    """.replace("AGENT", agent, 1).replace('"{env.MODE}"', 'swarm.env("MODE") or ""')
    monkeypatch.setenv("MODE", "hang")
    with popen("--journal", "j", script(Path(), text)) as process:
        hold(lambda: kept("session") == 1)
        process.send_signal(signal.SIGKILL)
    monkeypatch.setenv("MODE", "")
    status, session = resumed()
    assert status == "pass"
    assert [path.stem for path in Path("sessions").iterdir()] == [session]


def kept(kind: str) -> int:
    try:
        with sqlite3.connect("file:j?mode=ro", uri=True) as db:
            return int(db.execute("SELECT count(*) FROM kept WHERE kind=?", (kind,)).fetchone()[0])
    except sqlite3.OperationalError:
        return 0


def test_a_task_goes_on_in_its_worktree() -> None:
    for command in (
        ["git", "init", "-q"],
        ["git", "config", "user.email", "a@b"],
        ["git", "config", "user.name", "a"],
        ["git", "commit", "-q", "--allow-empty", "-m", "first"],
    ):
        subprocess.run(command, check=True)
    here = Path.cwd()
    text = """
    swarm.worker "w" {
      worktree = { branch = "fix/{input}" },
      command = { "sh", "-c", "echo x >> work; git -C . add work; git commit -q -m more; "
        .. "touch HERE/now; test -e HERE/mended || sleep 600; pwd; wc -l < work" },
    }
    swarm.main(function() return swarm.call("w", "one") end)
    """.replace("HERE", str(here))
    killed(text)
    path, count = resumed()["raw"].split()
    assert "worktrees" in path
    assert count == "2"


def test_a_reload_in_the_middle_and_a_resume_take_the_last_sources() -> None:
    text = """
    swarm.main(function()
      swarm.exec { "touch", "now" }
      if not swarm.fs.exists("mended") then swarm.sleep(600) end
      return "WORD"
    end)
    swarm.worker "w" { run = function() return "WORD" end }
    """
    path = script(Path(), text.replace("WORD", "first"))
    with popen("--reload", "--journal", "j", path) as process:
        wait_for(Path("now"))
        path.write_text(text.replace("WORD", "second"))
        hold(lambda: b"second" in source())
        process.send_signal(signal.SIGKILL)
    Path("mended").touch()
    assert resumed() == "second"


def source() -> bytes:
    with sqlite3.connect("file:j?mode=ro", uri=True) as db:
        return bytes(db.execute("SELECT content FROM sources").fetchone()[0])


def test_who_asks_again_and_again_whether_a_worker_has_ended_is_told() -> None:
    broken_off(
        """
        swarm.worker "w" { run = function(_, i) swarm.fs.append("ran", i .. " ") return i end }
        swarm.main(function()
          local sum = 0
          for i = 1, 5 do
            local h = swarm.spawn("w", i)
            while h.status ~= "pass" do swarm.yield() end
            sum = sum + swarm.result(h)
          end
        """
        + END
        + "return sum end)"
    )
    assert resumed() == 15
    assert lines() == ["1", "2", "3", "4", "5"]


def test_what_the_run_was_is_kept_its_generations_and_fingerprints_of_its_tokens() -> None:
    text = """
    swarm.worker "w" {
      command = { "sh", "-c", "printf %s $T > token" }, env = { T = "{token}" },
    }
    swarm.main(function() swarm.call("w") end)
    """
    assert run("--journal", "j", script(Path(), text), "arg").returncode == 0
    token = Path("token").read_text()
    with sqlite3.connect("j") as db:
        meta = {key: json.loads(text) for key, text in db.execute("SELECT * FROM meta")}
        [(task, known)] = db.execute("SELECT task, key FROM kept WHERE kind='token'").fetchall()
    assert (task, known) == (2, fingerprint(token))
    assert meta["wish"]["args"] == ["arg"]
    assert {"python", "system", "version", "cwd", "run_id", "status"} <= meta.keys()
    assert list(meta["generation 1.1"]["sources"]) == ["script.lua"]
    for file in Path().glob("j*"):
        assert token.encode() not in file.read_bytes()
