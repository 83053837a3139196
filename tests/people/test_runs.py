"""Runs that wait for answers: from the outside, with kills between."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from swarm_host.journal.places import NoJournal
from swarm_host.journal.questions import NotAnswered, answer
from swarm_host.serving.client import Client, Gone, Refused
from tests.support.command_line import SWARM_HOST, run, script

DEPLOY = """
swarm.worker "deploy" {
  label = "one",
  run = function(_, where)
    swarm.fs.append("ran", where .. "\\n")
    return where .. ": " .. swarm.ask("Deploy to " .. where .. "?", { choices = { "yes", "no" } })
  end,
}
swarm.main(function()
  local done = swarm.call(function() swarm.fs.append("ran", "built\\n") return "built" end, nil,
    { key = "build" })
  local list = swarm.map("deploy", { "prod", "test" })
  return done .. ", " .. list[1] .. ", " .. list[2]
end)
"""


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "home").mkdir(mode=0o700)


def test_a_run_that_only_answers_can_move_ends_with_75_and_is_resumed(tmp_path: Path) -> None:
    script(tmp_path, DEPLOY)
    done = run("--journal", "j", "script.lua")
    assert done.returncode == 75
    said = done.stderr.decode().splitlines()
    assert said[0] == "2 questions wait for an answer:"
    said[1:3] = sorted(said[1:3], key=lambda line: line.split(": ")[1])
    assert [line.split(": ")[1] for line in said[1:3]] == [
        "Deploy to prod? (yes, no)",
        "Deploy to test? (yes, no)",
    ]
    assert said[3].endswith("j KEY VALUE")
    assert said[4].startswith("resume it with: swarm-host resume ")
    keys = [line.split()[0] for line in said[1:3]]
    answer(Path("j"), keys[0], "yes", "Ann", None)
    done = run("resume", "./j")
    assert done.returncode == 75
    assert done.stderr.decode().splitlines()[0] == "a question waits for an answer:"
    answer(Path("j"), keys[1], "no", "Bob", "not today")
    done = run("resume", "./j")
    assert (done.returncode, done.stdout) == (0, b"built, prod: yes, test: no\n")
    assert Path("ran").read_text().splitlines().count("built") == 1


def test_bad_answers_to_a_run_that_has_ended(tmp_path: Path) -> None:
    script(tmp_path, DEPLOY)
    run("--journal", "j", "script.lua")
    path = Path("j")
    with pytest.raises(NotAnswered, match=r"the answer is one of yes, no, and not 'perhaps'"):
        answer(path, "T-4.1", "perhaps", "Ann", None)
    with pytest.raises(NotAnswered, match=r"there is no question T-9.1; open are T-\d.1, T-\d.1"):
        answer(path, "T-9.1", "yes", "Ann", None)
    key = next(iter(open_questions(path)))
    answer(path, key, "yes", "Ann", None)
    with pytest.raises(NotAnswered, match=rf"{key} was answered already by Ann \(journal\)"):
        answer(path, key, "no", "Bob", None)
    (tmp_path / "text").write_text("no journal")
    with pytest.raises(NoJournal):
        answer(tmp_path / "text", key, "no", "Bob", None)


def open_questions(journal: Path) -> dict[str, Any]:
    from swarm_host.journal.questions import questions

    with sqlite3.connect(journal) as connection:
        return {one.key: one.about for one in questions(connection, journal) if one.is_open}


def test_a_question_that_has_changed_is_asked_anew(tmp_path: Path) -> None:
    text = 'swarm.main(function() return swarm.ask("QUESTION") end)'
    script(tmp_path, text.replace("QUESTION", "This?"))
    assert run("--journal", "j", "script.lua").returncode == 75
    answer(Path("j"), "T-1.1", "of this", "Ann", None)
    changed = script(tmp_path, text.replace("QUESTION", "That?"))
    done = run("resume", "./j", "--with", changed)
    assert done.returncode == 75
    assert "That?" in done.stderr.decode()
    answer(Path("j"), "T-1.1", "of that", "Ann", None)
    assert run("resume", "./j", "--with", changed).stdout == b"of that\n"


def test_an_override_outlives_the_run(tmp_path: Path) -> None:
    text = """
    swarm.worker "stuck" { run = function()
      swarm.fs.append("ran", "x")
      return swarm.blocked("half", "no way on")
    end }
    swarm.worker "senior" { role = "senior", authority = "own", run = function(_, h)
      swarm.override(h, "whole", true)
    end }
    swarm.main(function()
      local h = swarm.spawn "stuck"
      local value, err = swarm.result(h)
      if err then swarm.call("senior", h) value = swarm.result(h) end
      return value .. " " .. swarm.ask "Good?"
    end)
    """
    script(tmp_path, text)
    assert run("--journal", "j", "script.lua").returncode == 75
    answer(Path("j"), "T-1.1", "yes", "Ann", None)
    done = run("resume", "./j")
    assert (done.returncode, done.stdout) == (0, b"whole yes\n"), done.stderr
    assert Path("ran").read_text() == "x"


def test_without_a_journal_it_waits(tmp_path: Path) -> None:
    script(tmp_path, 'swarm.main(function() return swarm.ask "Go?" end)')
    with _running("--no-journal", "script.lua") as process:
        with _connected() as client:
            (question,) = client.ask("answer_query", wait=60)["questions"]
            assert process.poll() is None
            client.ask("answer_query", key=question["key"], value="yes", by="Ann")
        out, _ = process.communicate(timeout=60)
    assert (process.returncode, out) == (0, b"yes\n")


def test_it_waits_where_it_is_told_to(tmp_path: Path) -> None:
    script(tmp_path, 'swarm.main(function() return swarm.ask "Go?" end)')
    with _running("--on-ask=wait", "script.lua") as process:
        with _connected() as client:
            (question,) = client.ask("answer_query", wait=60)["questions"]
            with pytest.raises(Refused, match="needs a value"):
                client.ask("answer_query", key=question["key"])
            client.ask("answer_query", key=question["key"], value="yes")
            with pytest.raises((Refused, Gone)):
                client.ask("answer_query", key=question["key"], value="no")
        out, _ = process.communicate(timeout=60)
    assert (process.returncode, out) == (0, b"yes\n")


def test_what_runs_goes_on_until_only_answers_are_left(tmp_path: Path) -> None:
    text = """
    swarm.worker "slow" { command = { "sh", "-c", "sleep 0.5; echo done > slow" } }
    swarm.main(function()
      local slow = swarm.spawn "slow"
      local asks = swarm.spawn(function() return swarm.ask "Go?" end, nil, { key = "asks" })
      swarm.join(slow)
      return swarm.result(asks)
    end)
    """
    script(tmp_path, text)
    assert run("--journal", "j", "script.lua").returncode == 75
    assert Path("slow").read_text() == "done\n"
    Path("slow").unlink()
    answer(Path("j"), next(iter(open_questions(Path("j")))), "yes", "Ann", None)
    assert run("resume", "./j").stdout == b"yes\n"
    assert not Path("slow").exists()


MANY = """
swarm.worker "asks" {
  run = function(_, n)
    local options = n % 3 == 0 and { to = "script" } or nil
    return n .. ":" .. swarm.ask("Number " .. n .. "?", options)
  end,
}
swarm.operator("script", function(request)
  swarm.sleep(0.01 * (request.input % 7))
  return tostring(request.input)
end)
swarm.main(function(args)
  local numbers, right = {}, 0
  for i = 1, tonumber(args[1]) do numbers[i] = i end
  local list = swarm.map("asks", numbers)
  for i, value in ipairs(list) do
    if value == i .. ":" .. i then right = right + 1 end
  end
  return right
end)
"""

COUNT = int(os.environ.get("SWARM_QUESTIONS", "1500"))
"""Questions at once; 10,000 in the long form."""


def _answer_some(client: Client, dice: random.Random, known: dict[str, str], most: int) -> int:
    """Answers questions in random order; those that others were faster with are no fault."""
    found = client.ask("answer_query", wait=5)["questions"]
    dice.shuffle(found)
    answered = 0
    for question in found[:most]:
        number = question["question"].split()[1].rstrip("?")
        try:
            client.ask("answer_query", key=question["key"], value=number, by="somebody")
        except Refused as problem:
            if problem.error["code"] not in ("already_answered", "question_not_found"):
                raise
            continue
        known[question["key"]] = number
        answered += 1
    return answered


def test_many_questions_lose_nothing_and_cross_nothing_killed_or_not(tmp_path: Path) -> None:
    script(tmp_path, MANY)
    dice, told = random.Random(COUNT), dict[str, str]()
    words = ["--journal", "j", "--on-ask=wait", "script.lua", str(COUNT)]
    for nth in range(3):
        with _running(*words) as process:
            with _connected() as one, _connected() as other:
                for _ in range(2):
                    _answer_some(one, dice, told, COUNT // 30)
                    _answer_some(other, dice, told, COUNT // 30)
            process.kill()
            process.wait()
        assert process.returncode == -signal.SIGKILL
        open_ = open_questions(tmp_path / "j")
        assert not told.keys() & open_.keys(), nth  # what was told to be there is there
        for key in dice.sample([*open_], min(len(open_), COUNT // 20)):  # nobody works on the run
            value = open_[key]["question"].split()[1].rstrip("?")
            answer(tmp_path / "j", key, value, "nobody", None)
            told[key] = value
        words = ["resume", "./j"]
    with _running(*words) as process:
        with _connected() as client:
            while True:
                try:
                    _answer_some(client, dice, told, COUNT)
                except Gone:
                    break
        out, err = process.communicate(timeout=120)
    assert (process.returncode, json.loads(out)) == (0, COUNT), err.decode()


@contextmanager
def _running(*words: str) -> Iterator[subprocess.Popen[bytes]]:
    """A run that goes on; it is killed with the block."""
    for path in Path("home/swarm-host").glob("*.sock"):
        path.unlink()  # of one that was killed
    with subprocess.Popen(
        [*SWARM_HOST, *words],
        env={**os.environ, "XDG_RUNTIME_DIR": str(Path("home").absolute())},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@contextmanager
def _connected() -> Iterator[Client]:
    """A client of the run that goes on."""

    end = time.monotonic() + 60
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(60)
        while True:
            assert time.monotonic() < end, "it does not listen"
            with suppress(OSError, StopIteration):
                connection.connect(str(next(iter(Path("home/swarm-host").glob("*.sock")))))
                break
            time.sleep(0.01)
        with closing(Client(connection)) as client:
            yield client
