"""``swarm-host answer``: runs that go on and runs that wait, and what is wrong with an answer."""

from __future__ import annotations

import json
import os
import pwd
import re
import shlex
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from swarm_host.journal.pruning import MOST_SECONDS
from tests.journal.looking.journals import Journals
from tests.journal.looking.test_prune import PASSES, age
from tests.support.command_line import SWARM_HOST, popen, run, script
from tests.support.emulator import Emulator
from tests.support.waiting import hold

ME = pwd.getpwuid(os.getuid()).pw_name

ASKS = """
swarm.worker "deploy" {
  label = "to {prompt}",
  run = function(_, where)
    return swarm.ask("Deploy to " .. where .. "?", { choices = { "yes", "no" } })
  end,
}
swarm.main(function(args) return table.concat(swarm.map("deploy", args), " ") end)
"""
NUMBER = """
swarm.main(function()
  local many = swarm.ask("How many?", { schema = { type = "integer" }, show = swarm.file("notes") })
  return many == 7 and "yes" or "no"
end)
"""


GOES_ON = """
swarm.main(function()
  swarm.ask "Go?"
  repeat swarm.sleep(0.01) until swarm.fs.exists "go"
  return "yes"
end)
"""


@pytest.fixture
def journals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Journals:
    """The journals of a user who has run nothing yet."""
    state, home = tmp_path / "state", tmp_path / "home"
    monkeypatch.setenv("XDG_STATE_HOME", str(state))
    home.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(home))
    monkeypatch.chdir(tmp_path)
    return Journals(tmp_path, state / "swarm-host" / "runs", home)


def waits(journals: Journals, text: str, *args: str) -> str:
    """Runs a script that ends with questions, and returns the run's id."""
    done = run(script(journals.folder, text).name, *args, cwd=journals.folder)
    assert done.returncode == 75, done
    found = re.search(r"swarm-host resume ([0-9a-f]+)\n$", done.stderr.decode())
    assert found
    return found[1]


@contextmanager
def going_on(journals: Journals, text: str, *args: str) -> Iterator[str]:
    """A run that waits for answers; its id."""
    path = script(journals.folder, text)
    with popen("--on-ask=wait", path, *args) as process:
        socket = journals.home / "swarm-host"
        hold(lambda: bool(list(socket.glob("*.sock"))))
        [found] = socket.glob("*.sock")
        hold(lambda: len(journals.lines("answer", found.stem)) >= 1)
        yield found.stem
        out, _ = process.communicate(timeout=30)
        assert (process.returncode, out) == (0, b"yes\n")


def test_a_run_that_goes_on_is_answered_by_its_socket(journals: Journals) -> None:
    with going_on(journals, ASKS, "prod") as name:
        [line] = journals.lines("answer", "last")
        assert line == 'T-2.1 "deploy" [to prod]: Deploy to prod? (yes, no)'
        [one] = journals.objects("answer", name[:6], "--json")
        assert (one["key"], one["choices"], one["label"]) == ("T-2.1", ["yes", "no"], "to prod")
        said = journals.error("answer", name, "T-2.1", "perhaps")
        assert said == 'the answer is one of yes, no, and not "perhaps" (invalid_argument)'
        assert "did you mean" in journals.error("answer", name, "T-2.2", "yes")
        [line] = journals.lines("answer", name, "T-2.1", "yes", "--reason", "it is time")
        assert line == f'T-2.1 "deploy" [to prod]: Deploy to prod? yes (run {name})'


def test_whom_a_question_is_put_to_forges_no_line(journals: Journals) -> None:
    text = (
        'swarm.main(function() return swarm.ask("Go?", { to = "Ann\\nrun x: asks nothing" }) end)'
    )
    name = waits(journals, text)
    assert journals.lines("answer", name) == ['T-1.1 "main": Go? (to Ann run x: asks nothing)']


def test_labels_that_are_not_utf_8_are_listed_as_the_run_shows_them(journals: Journals) -> None:
    text = """
    swarm.worker "asks" { run = function() return swarm.ask "Go?" end }
    swarm.worker "labelled" { label = "to {prompt}\\255", run = function() swarm.ask "Go?" end }
    swarm.main(function()
      swarm.spawn("labelled", "ab")
      swarm.spawn("asks", "x", { key = "c\\255" })
      swarm.spawn("asks", "x", { label = '"d"' })
    end)
    """
    name = waits(journals, text)
    assert [line.partition(":")[0] for line in journals.lines("answer", name)] == [
        'T-2.1 "labelled" [to ab�]',
        'T-3.1 "asks" [c�]',
        'T-4.1 "asks" ["d"]',
    ]
    assert "  T-2 labelled [to ab�]  " in journals.said("show", name)


def test_a_second_answer_is_told_who_was_faster(journals: Journals) -> None:
    with going_on(journals, GOES_ON) as name:
        journals.lines("answer", name, "T-1.1", "no")
        said = journals.error("answer", name, "T-1.1", "yes")
        assert said == (
            f"question T-1.1 was answered already by {ME} (socket): that answer counts "
            "(already_answered)"
        )
        (journals.folder / "go").touch()


def test_a_run_that_goes_on_is_found_by_its_journal(journals: Journals) -> None:
    with going_on(journals, ASKS, "prod") as name:
        [line] = journals.lines("answer", str(journals.path(name)), "T-2.1", "yes")
        assert line.endswith(f"yes (run {name})")


def test_a_run_that_waits_is_answered_in_its_journal_and_resumed(journals: Journals) -> None:
    name = waits(journals, ASKS, "prod", "test")
    assert len(journals.lines("answer", name)) == 2
    assert journals.lines("answer", name, "T-2.1", "yes")[1:] == ["1 more to answer"]
    assert journals.error("answer", name, "T-2.1", "no") == (
        f"question T-2.1 was answered already by {ME} (journal): that answer counts"
    )
    assert journals.error("answer", name, "T-3.1", "maybe") == (
        "the answer is one of yes, no, and not 'maybe'"
    )
    assert journals.error("answer", name, "T-9.1", "no") == (
        "there is no question T-9.1; open are T-3.1"
    )
    done = run("answer", name, "T-3.1", "-", stdin=b"no\n")
    resumes = f"resume it with: swarm-host resume {name}"
    assert done.stdout.decode().splitlines()[1:] == [resumes]
    assert journals.lines("answer", name) == []
    assert run("resume", name).stdout == b"yes no\n"
    assert journals.error("answer", name, "T-3.1", "no").endswith(": that answer counts")


def test_last_is_the_last_run_that_has_open_questions(journals: Journals) -> None:
    assert journals.error("answer", "last") == "no run has an open question"
    first = waits(journals, ASKS, "prod")
    waits(journals, ASKS, "later")
    journals.ran(PASSES)
    [line] = journals.lines("answer", "last")
    assert "Deploy to later?" in line
    journals.lines("answer", "last", "T-2.1", "yes")
    [line] = journals.lines("answer", "last")
    assert "Deploy to prod?" in line
    journals.lines("answer", first, "T-2.1", "yes")
    assert journals.error("answer", "last") == "no run has an open question"


@pytest.mark.parametrize("goes_on", [True, False])
def test_where_there_is_a_schema_the_value_is_json(journals: Journals, goes_on: bool) -> None:
    (journals.folder / "notes").write_text("some notes")
    if goes_on:
        with going_on(journals, NUMBER) as name:
            _refuses_what_does_not_fit(journals, name)
            assert journals.lines("answer", name, "T-1.1", "7")[0].endswith(f"7 (run {name})")
        return
    name = waits(journals, NUMBER)
    _refuses_what_does_not_fit(journals, name)
    [one] = journals.objects("answer", name, "--json")
    assert one["show"] == {"kind": "file_ref", "path": "notes"}
    journals.lines("answer", name, "T-1.1", "7")
    assert run("resume", name).stdout == b"yes\n"


def _refuses_what_does_not_fit(journals: Journals, name: str) -> None:
    assert "does not fit" in journals.error("answer", name, "T-1.1", '"seven"')
    assert "needs a value" in journals.error("answer", name, "T-1.1", "null")
    assert "not Unicode" in journals.error("answer", name, "T-1.1", '"\\ud800"')
    said = journals.said("answer", name, "T-1.1", "seven", status=2)
    assert said.startswith("error: VALUE: not JSON: ")
    assert "the question has a schema" in said


def test_without_a_terminal_a_value_is_needed(journals: Journals) -> None:
    name = waits(journals, ASKS, "prod")
    said = journals.error("answer", name, "T-2.1")
    assert said == "there is no terminal to ask at: give VALUE, or - for standard input"


def test_without_a_terminal_the_question_is_shown_whole(journals: Journals) -> None:
    (journals.folder / "notes").write_text("".join(f"note {n}\n" for n in range(1000)))
    name = waits(journals, NUMBER)
    assert journals.lines("answer", name) == ['T-1.1 "main": How many? (JSON)']
    done = run("answer", name, "T-1.1")
    assert done.returncode == 1
    lines = done.stdout.decode().splitlines()
    assert lines[1:5] == ["  How many?", "beside it:", "  note 0", "  note 1"]
    assert lines[-5:] == [
        "  … 500 more lines",
        "the answer is JSON that fits:",
        "  {",
        '    "type": "integer"',
        "  }",
    ]
    done = run("answer", name, "T-1.1", "--json")
    assert (done.returncode, json.loads(done.stdout)["schema"]) == (1, {"type": "integer"})
    said = journals.error("answer", name, "T-9.1")
    assert said == "there is no open question T-9.1; open are T-1.1"


def test_words_that_are_not_utf_8_are_told(journals: Journals) -> None:
    name = waits(journals, ASKS, "prod")
    for words in (
        ["T-2.1\udcff", "yes"],
        ["T-2.1", "y\udcff"],
        ["T-2.1", "yes", "--reason=\udcff"],
    ):
        said = journals.said("answer", name, *words, status=2)
        assert re.match(r"error: (KEY|VALUE|--reason): not UTF-8: ", said), said


@pytest.mark.parametrize(
    ("blocks", "why"),
    [(0, "PATH cannot be opened: "), (64, "the answer was not kept: PATH cannot be written: ")],
)
def test_a_full_disk_is_no_damage(journals: Journals, blocks: int, why: str) -> None:
    name = waits(journals, 'swarm.main(function() return swarm.ask "Why?" end)')
    command = (
        f"ulimit -f {blocks}; exec {shlex.join(SWARM_HOST)} answer {name} T-1.1 {'x' * 100000}"
    )
    done = subprocess.run(["sh", "-c", command], capture_output=True, timeout=60)
    said = done.stderr.decode()
    assert (done.returncode, done.stdout) == (1, b"")
    assert said.startswith(f"error: {why.replace('PATH', str(journals.path(name)))}"), said
    assert len(journals.lines("answer", name)) == 1


def test_a_run_that_is_ending_is_waited_for(journals: Journals) -> None:
    with going_on_unheard(journals) as (process, name):
        with popen("answer", name, "T-2.1", "yes") as answering:
            process.send_signal(signal.SIGINT)
            out, err = answering.communicate(timeout=30)
        assert (answering.returncode, err) == (0, b"")
        assert f"resume it with: swarm-host resume {name}" in out.decode()


def test_nobody_is_told_to_kill_a_run_that_asks(journals: Journals) -> None:
    with going_on_unheard(journals) as (_, name):
        said = journals.error("answer", name, "T-2.1", "yes")
        assert said == f"run {name} goes on and does not listen; where it is ending, try again"


@contextmanager
def going_on_unheard(journals: Journals) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """A run that waits for an answer, and that nobody finds a socket of; its id."""
    with popen("--on-ask=wait", script(journals.folder, ASKS), "prod") as process:
        socket = journals.home / "swarm-host"
        hold(lambda: bool(list(socket.glob("*.sock"))))
        [found] = socket.glob("*.sock")
        hold(lambda: len(journals.lines("answer", found.stem)) == 1)
        found.unlink()
        yield process, found.stem


def test_without_a_value_it_asks_at_the_terminal(journals: Journals) -> None:
    name = waits(journals, ASKS, "prod")
    with Emulator(journals.folder, "answer", name, "T-2.1") as terminal:
        terminal.until(lambda shows: shows.endswith("\n>"))
        assert "Deploy to prod?\n1) yes  2) no" in terminal.shows
        terminal.type("3\n")
        terminal.until(lambda shows: shows.endswith("the answer is one of yes, no\n>"))
        terminal.type("1\n")
        assert terminal.exit_status() == 0
        assert f"Deploy to prod? yes (run {name})" in terminal.shows


def test_lines_that_are_pasted_are_not_taken(journals: Journals) -> None:
    name = waits(journals, 'swarm.main(function() return swarm.ask "Why?" end)')
    with Emulator(journals.folder, "answer", name, "T-1.1") as terminal:
        terminal.until(lambda shows: shows.endswith("\n>"))
        terminal.type("one\ntwo\n")
        said = "several lines came at once, and none was taken: !e opens an editor\n>"
        terminal.until(lambda shows: shows.endswith(said))
        terminal.type("three\n")
        assert terminal.exit_status() == 0
        assert f"Why? three (run {name})" in terminal.shows


def test_ctrl_d_gives_no_answer(journals: Journals) -> None:
    name = waits(journals, ASKS, "prod")
    with Emulator(journals.folder, "answer", name, "T-2.1") as terminal:
        terminal.until(lambda shows: shows.endswith("\n>"))
        terminal.type("\x04")
        assert terminal.exit_status() == 1
        assert terminal.shows.endswith("error: no answer was given")


def test_a_run_that_waits_is_listed_and_shown(journals: Journals) -> None:
    name = waits(journals, ASKS, "prod")
    [line] = journals.lines("runs")
    assert re.fullmatch(rf"{name}  script.lua  -  -  waiting  2 tasks: 2 waiting", line), line
    [main, asks] = journals.objects("show", name)
    assert (main["status"], asks["status"]) == ("waiting", "waiting")
    assert 'asks T-2.1 "deploy" [to prod]: Deploy to prod? (yes, no)' in journals.lines(
        "show", name
    )
    assert "  T-2 deploy [to prod]  waiting  -" in journals.lines("show", name)
    journals.lines("answer", name, "T-2.1", "yes")
    assert "\nasks " not in journals.said("show", name)


def test_a_run_that_waits_is_not_pruned(journals: Journals) -> None:
    name = waits(journals, ASKS, "prod")
    [line] = journals.lines("prune", "--yes")
    assert line.endswith(": it waits for answers, and stays")
    age(journals.path(name), MOST_SECONDS + 60)
    other = journals.ran(PASSES)
    age(journals.path(other), MOST_SECONDS + 60)
    journals.ran(PASSES)
    assert name in journals.ids()
    assert other not in journals.ids()
    journals.lines("answer", name, "T-2.1", "yes")
    age(journals.path(name), MOST_SECONDS + 60)
    journals.ran(PASSES)
    assert name not in journals.ids()


def test_json_says_what_was_answered(journals: Journals) -> None:
    name = waits(journals, ASKS, "prod")
    said = json.loads(journals.said("answer", name, "T-2.1", "yes", "--json"))
    assert said == {"run_id": name, "key": "T-2.1", "value": "yes"}


STARTED = """
swarm.worker "program" {
  command = { "sh", "-c", "PYTHON answer $(ls home/*/ | head -c 12) T-2.1 yes 2>&1 || :" },
}
swarm.main(function()
  local h = swarm.spawn(function() return swarm.ask "Go?" end, nil, { key = "asks" })
  swarm.sleep(0)
  local said = swarm.call "program"
  swarm.answer(swarm.pending()[1].key, "no")
  return { answer = swarm.result(h), said = said }
end)
"""


def test_what_a_run_has_started_does_not_answer_it(journals: Journals) -> None:
    path = script(journals.folder, STARTED.replace("PYTHON", " ".join(SWARM_HOST)))
    done = run(path)
    assert done.returncode == 0, done
    told = json.loads(done.stdout)
    assert told["answer"] == "no"
    assert "whatever comes of the run is no person" in str(told["said"])
