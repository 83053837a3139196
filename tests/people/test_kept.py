"""What is kept of answers and verdicts, and given again: the very same, to the very same."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
from pathlib import Path

import pytest

from swarm_host.journal.questions import answer
from swarm_host.serving.client import Refused
from tests.people.test_runs import _connected, _running, open_questions
from tests.support.command_line import run, script
from tests.support.waiting import wait_for


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "home").mkdir(mode=0o700)


def first(text: str) -> subprocess.CompletedProcess[bytes]:
    return run("--journal", "j", script(Path(), text))


def test_an_answer_that_holds_a_secret_is_not_kept_and_asked_for_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TOK", "hunter2hunter2")
    text = """
    swarm.secret "TOK"
    swarm.main(function()
      swarm.env "TOK"
      local one = swarm.ask "which?"
      return one .. swarm.ask "second?"
    end)
    """
    script(Path(), text)
    with _running("--journal", "j", "--on-ask=wait", "script.lua") as process:
        with _connected() as client:
            client.ask("answer_query", wait=60)
            client.ask("answer_query", key="T-1.1", value="x hunter2hunter2 y")
            client.ask("answer_query", wait=60, beyond=1)
        process.terminate()
        process.wait(60)
    assert b"hunter2" not in Path("j").read_bytes()
    assert open_questions(Path("j")).keys() == {"T-1.1", "T-1.2"}
    assert run("resume", "./j", "--on-ask=exit").returncode == 75  # T-1.1 is asked again


def test_a_worker_cannot_answer_its_own_question_before_it_is_asked_again() -> None:
    text = """
    swarm.main(function()
      local ok, err = pcall(swarm.answer, "T-1.1", "yes")
      swarm.fs.append("codes", err and err.code .. " " or "none ")
      return swarm.ask("deploy?", { choices = { "yes", "no" } })
    end)
    """
    assert first(text).returncode == 75
    assert run("resume", "./j").returncode == 75
    assert Path("codes").read_text() == "question_not_found role_violation "


OVERRIDDEN = """
local ran = function(name) return swarm.fs.exists(name) end
swarm.worker "breaks" { run = function() swarm.fs.append("ran", "x") error("broken", 0) end }
swarm.worker "senior" { role = "senior", authority = "own", run = function(_, h)
  swarm.override(h, "mended", true)
end }
swarm.worker "last" { run = function() if not ran("mended") then error("later", 0) end end }
swarm.main(function()
  local h = swarm.spawn "breaks"
  swarm.settle { h }
  if not ran("unsaid") then swarm.call("senior", h) end
  local ok, value = pcall(swarm.result, h)
  swarm.call "last"
  return ok and value or "failed"
end)
"""


def test_a_task_that_is_run_again_is_overridden_no_longer() -> None:
    assert first(OVERRIDDEN).returncode == 1
    Path("unsaid").touch()
    assert run("rerun", "./j", "--from", "T-2").returncode == 1
    Path("mended").touch()
    assert run("resume", "./j").stdout == b"failed\n"


def test_a_verdict_said_twice_is_counted_once() -> None:
    text = """
    swarm.worker "stuck" { run = function() return swarm.blocked(1, "no way on") end }
    swarm.worker "senior" { role = "senior", authority = "own", run = function(_, given)
      swarm.override(given.h, 2, given.ok, "because")
    end }
    swarm.main(function(args)
      local one, other = swarm.spawn "stuck", swarm.spawn "stuck"
      swarm.settle { one, other }
      for word in args[1]:gmatch "%a+" do
        swarm.call("senior", { h = one, ok = word == "yes" }, { label = false })
      end
    end)
    """
    path = script(Path(), text)
    for words, many in (("yes yes", 1), ("no yes no", 2), ("no no yes", 1)):
        done = run("--no-journal", path, words)
        head = done.stderr.decode().splitlines()[0]
        assert head.startswith(f"{many} task{'s' if many > 1 else ''} ended blocked"), (words, head)


def test_show_tells_what_a_senior_has_said() -> None:
    assert first(OVERRIDDEN).returncode == 1
    shown = run("show", "./j", "T-2").stdout.decode()
    assert 'overridden by senior: it passes, with "mended"' in shown
    (one,) = [json.loads(run("show", "./j", "T-2", "--json").stdout)]
    assert (one["overridden"]["value"], one["overridden"]["ok"]) == ("mended", True)


def test_what_swarm_retry_came_to_stands_before_an_older_override() -> None:
    text = """
    swarm.worker "breaks" { run = function()
      if not swarm.fs.exists("real") then error("broken", 0) end
      return "real"
    end }
    swarm.worker "senior" { role = "senior", authority = "own", run = function(_, h)
      swarm.override(h, "mended", true)
    end }
    swarm.worker "last" { run = function()
      if not swarm.fs.exists("mended") then error("later", 0) end
    end }
    swarm.main(function()
      local h = swarm.spawn "breaks"
      swarm.settle { h }
      swarm.call("senior", h)
      swarm.fs.write("real", "")
      swarm.retry(h):join()
      swarm.call "last"
      return { swarm.result(h), h.overridden }
    end)
    """
    assert first(text).returncode == 1
    Path("mended").touch()
    assert json.loads(run("resume", "./j").stdout) == ["real", False]


def test_a_run_that_marks_is_resumed() -> None:
    text = """
    swarm.worker "asks" { run = function() return swarm.ask "Go?" end }
    swarm.worker "last" { run = function()
      if not swarm.fs.exists("mended") then error("later", 0) end
    end }
    swarm.main(function()
      local h = swarm.spawn "asks"
      swarm.sleep(0.05)
      swarm.mark(h, "pass", "marked")
      local value = swarm.result(h)
      swarm.call "last"
      return value
    end)
    """
    assert first(text).returncode == 1
    Path("mended").touch()
    done = run("resume", "./j")
    assert (done.returncode, done.stdout) == (0, b"marked\n"), done.stderr


def test_a_question_that_is_not_asked_again_yet_can_be_answered() -> None:
    text = """
    swarm.main(function()
      if swarm.fs.exists("slow") then
        swarm.fs.write("begun", "")
        while not swarm.fs.exists("go") do swarm.sleep(0.01) end
      end
      return swarm.ask("Go?", { choices = { "ok", "fail" } })
    end)
    """
    assert first(text).returncode == 75
    Path("slow").touch()
    with _running("resume", "./j") as process:
        wait_for(Path("begun"))
        with _connected() as client:
            (question,) = client.ask("answer_query")["questions"]
            assert (question["key"], question["choices"]) == ("T-1.1", ["ok", "fail"])
            with pytest.raises(Refused, match='one of ok, fail, and not "nonsense"'):
                client.ask("answer_query", key="T-1.1", value="nonsense")
            client.ask("answer_query", key="T-1.1", value="ok", by="Ann")
            with pytest.raises(Refused, match="answered already by Ann"):
                client.ask("answer_query", key="T-1.1", value="fail")
            assert client.ask("answer_query")["questions"] == []
        Path("go").touch()
        out, _ = process.communicate(timeout=60)
    assert (process.returncode, out) == (0, b"ok\n")


def test_what_an_operators_function_asks_is_not_listed_where_nobody_can_answer_it() -> None:
    text = """
    swarm.operator("main", function() return swarm.ask("Bob?", { to = "bob" }) end)
    swarm.main(function() return swarm.ask "Go?" end)
    """
    done = first(text)
    assert done.returncode == 75
    assert b"T-1.1" in done.stderr
    assert b"Bob?" not in done.stderr
    assert done.stderr.startswith(b"a question waits for an answer:\n")
    answer(Path("j"), "T-1.1", "yes", "Ann", None)
    assert run("resume", "./j").stdout == b"yes\n"


def test_an_operator_that_asks_its_own_id_asks_people() -> None:
    text = """
    swarm.operator("main", function(request)
      return request.question == "Go?" and swarm.ask "And you?" or nil
    end)
    swarm.main(function() return swarm.ask("Go?", { timeout = 0.3, default = "late" }) end)
    """
    assert first(text).stdout == b"late\n"


@pytest.mark.parametrize("value", ["{}", "[]", '{"about":1,"since":2}', "x"])
def test_a_damaged_question_is_told_as_that(value: str) -> None:
    assert first('swarm.main(function() return swarm.ask "Go?" end)').returncode == 75
    with sqlite3.connect("j") as connection:
        connection.execute("UPDATE kept SET value=?", (value,))
    connection.close()
    done = run("resume", "./j")
    assert done.returncode == 2
    assert b"is damaged" in done.stderr
    assert b"internal" not in done.stderr


def test_a_lost_content_is_told_as_that() -> None:
    long = "x" * 100_000
    text = f'swarm.main(function() swarm.ask "Go?" return swarm.ask("{"y" * 10}") end)'
    assert first(text).returncode == 75
    answer(Path("j"), "T-1.1", long, "Ann", None)
    assert run("resume", "./j").returncode == 75
    shutil.rmtree("j.files")
    done = run("resume", "./j")
    assert done.returncode == 2, done.stderr
    assert b"internal" not in done.stderr
