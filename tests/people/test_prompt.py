"""The prompt of a run at its controlling terminal, looked at on a screen."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from tests.journal.looking.journals import Journals
from tests.people.prompting import (
    ASKS,
    BOTH,
    ME,
    OTHER_THINGS,
    WHY,
    asked,
    asks,
    at_terminal,
    modes,
    prompts,
)
from tests.people.test_answer import journals  # noqa: F401 - a fixture
from tests.support.command_line import SWARM_HOST, run, script
from tests.support.emulator import Emulator


@pytest.fixture(autouse=True)
def _alone(journals: Journals) -> None:  # noqa: F811 - a fixture
    """In a folder, with journals of its own."""


def test_questions_are_asked_in_turn(tmp_path: Path) -> None:
    with at_terminal(tmp_path, ASKS, "prod", "test", "dev") as terminal:
        shows = terminal.until(asks("prod"))
        assert asked(shows) == [
            'T-2.1 "deploy" [to prod] · 2 more wait',
            "Deploy to prod?",
            "1) yes  2) no",
            "more: ? · leave it: Ctrl-D",
            ">",
        ]
        terminal.type("1\n")
        shows = terminal.until(asks("test"))
        assert asked(shows)[0] == 'T-3.1 "deploy" [to test] · 1 more waits'
        terminal.type("perhaps\n")
        shows = terminal.until(lambda shows: "the answer is one of yes, no\n>" in shows)
        terminal.type("no\n")
        shows = terminal.until(asks("dev"))
        assert asked(shows)[0] == 'T-4.1 "deploy" [to dev]'
        terminal.type("yes\n")
        assert terminal.exit_status() == 0
        assert terminal.shows.splitlines() == [
            'T-2.1 "deploy" [to prod]: Deploy to prod? yes',
            'T-3.1 "deploy" [to test]: Deploy to test? no',
            'T-4.1 "deploy" [to dev]: Deploy to dev? yes',
            "yes no yes",
        ]
        assert modes(terminal) == BOTH


def test_a_question_is_answered_though_stdin_is_a_pipe(tmp_path: Path) -> None:
    script(tmp_path, 'swarm.main(function() return swarm.ask("Go?") .. swarm.input end)')
    command = f"echo '\"from stdin\"' | {shlex.join(SWARM_HOST)} --input - script.lua 2>err >out"
    with Emulator(tmp_path, program=("sh", "-c", command)) as terminal:
        terminal.until(prompts)
        terminal.type("yes, \n")
        assert terminal.exit_status() == 0
        assert terminal.shows == 'T-1.1 "main": Go? yes,'
    assert (tmp_path / "out").read_text() == "yes, from stdin\n"


def test_what_was_typed_before_answers_nothing(tmp_path: Path) -> None:
    text = 'swarm.log.info "ready" repeat swarm.sleep(0.01) until swarm.fs.exists "go"'
    with at_terminal(tmp_path, WHY.replace("return", f"{text} return")) as terminal:
        terminal.until(lambda shows: "ready" in shows)
        terminal.type("too early\n")
        terminal.until(lambda shows: "too early" in shows)
        (tmp_path / "go").touch()
        terminal.until(prompts)
        terminal.type("now\n")
        assert terminal.exit_status() == 0
        assert terminal.shows.endswith("\nnow")


def test_what_is_said_meanwhile_stands_above_what_is_typed(tmp_path: Path) -> None:
    with at_terminal(tmp_path, OTHER_THINGS) as terminal:
        terminal.until(prompts)
        terminal.type("half a ")
        terminal.until(lambda shows: shows.endswith("\n> half a"))
        (tmp_path / "log").touch()
        shows = terminal.until(lambda shows: "something else" in shows and "> half" in shows)
        lines = shows.splitlines()
        assert lines[0].endswith("info: [busy T-2] something else")
        assert lines[1] == '? T-1.1 "main"'
        assert lines[-1] == "> half a"
        terminal.type("line\n")
        terminal.until(lambda shows: 'T-1.1 "main": What? half a line' in shows)
        (tmp_path / "end").touch()
        assert terminal.exit_status() == 0
        assert terminal.shows.endswith("\nhalf a line")


def test_the_tree_gives_way_and_comes_back(tmp_path: Path) -> None:
    text = OTHER_THINGS.replace("local answer", "swarm.sleep(1.5) local answer")
    with at_terminal(tmp_path, text) as terminal:
        terminal.until(lambda shows: "├─" in shows or "└─" in shows)
        shows = terminal.until(prompts)
        assert "─" not in shows
        terminal.type("this\n")
        shows = terminal.until(lambda shows: "└─" in shows)
        assert "leave it" not in shows
        (tmp_path / "log").touch()
        (tmp_path / "end").touch()
        assert terminal.exit_status() == 0


def test_a_question_mark_tells_all_of_it(tmp_path: Path) -> None:
    text = ASKS.replace('choices = { "yes", "no" }', 'show = "--- a\\n+++ b\\n\\tnew", to = "Ann"')
    with at_terminal(tmp_path, text, "prod") as terminal:
        shows = terminal.until(prompts)
        assert asked(shows)[:5] == [
            'T-2.1 "deploy" [to prod] asks Ann',
            "Deploy to prod?",
            "│ --- a",
            "│ +++ b",
            "│         new",
        ]
        terminal.type("?\n")
        shows = terminal.until(lambda shows: prompts(shows) and "it said last" in shows)
        lines = re.sub(r"\d\d:\d\d:\d\d", "-", shows).splitlines()
        assert lines[:8] == [
            'T-2.1 is asked by "deploy" [to prod] (T-2), of Ann, since -:',
            "  Deploy to prod?",
            "input: prod",
            "beside it:",
            "  --- a",
            "  +++ b",
            "          new",
            "it said last:",
        ]
        assert lines[8] == "  - progress: looking: around"


def test_a_question_answered_elsewhere_goes_away(tmp_path: Path) -> None:
    with at_terminal(tmp_path, ASKS, "--journal=j", "prod", "test") as terminal:
        terminal.until(asks("prod"))
        terminal.type("n")
        terminal.until(lambda shows: shows.endswith("> n"))
        done = run("answer", "last", "T-2.1", "yes")
        assert done.returncode == 0
        shows = terminal.until(asks("test"))
        note = f'T-2.1 "deploy" [to prod]: {ME} answered (socket): yes'
        assert shows.splitlines()[0] == note
        assert run("answer", "last", "T-3.1", "no").returncode == 0
        assert terminal.exit_status() == 0
        assert terminal.shows.endswith("\nyes no")


def test_of_two_terminals_one_wins_and_the_other_is_told(tmp_path: Path) -> None:
    with at_terminal(tmp_path, OTHER_THINGS) as terminal:
        terminal.until(prompts)
        with Emulator(tmp_path, "answer", "last", "T-1.1") as other:
            other.until(prompts)
            other.type("theirs")
            terminal.type("ours\n")
            terminal.until(lambda shows: "What? ours" in shows)
            other.type("\n")
            assert other.exit_status() == 1
            assert f"answered already by {ME} (terminal): that answer" in other.shows
        (tmp_path / "log").touch()
        (tmp_path / "end").touch()
        assert terminal.exit_status() == 0
        assert terminal.shows.endswith("\nours")


MAIN = """
local function ask() return swarm.ask "A?" end
swarm.main(function() return TEXT end)
"""


@pytest.mark.parametrize(
    ("text", "note", "result"),
    [
        (
            'swarm.ask("A?", { timeout = 1.5, default = "so" })',
            "nobody answered in time, so it is so",
            "so",
        ),
        ("(pcall(swarm.timeout, 1.5, ask)) and 'x' or 'y'", "it is asked no more", "y"),
    ],
)
def test_a_question_that_is_asked_no_more_goes_away(
    tmp_path: Path, text: str, note: str, result: str
) -> None:
    with at_terminal(tmp_path, MAIN.replace("TEXT", text)) as terminal:
        terminal.until(prompts)
        assert terminal.exit_status() == 0
        lines = terminal.shows.splitlines()
        assert (lines[0], lines[-1]) == (f'T-1.1 "main": {note}', result)


def test_a_function_of_the_script_is_asked_first(tmp_path: Path) -> None:
    text = """
    swarm.operator("main", function(request)
      swarm.log.info "I look at it"
      repeat swarm.sleep(0.01) until swarm.fs.exists "go"
      return request.question == "A?" and "mine" or nil
    end)
    swarm.main(function() return swarm.ask "A?" .. swarm.ask "B?" end)
    """
    with at_terminal(tmp_path, text, "--view=off") as terminal:
        shows = terminal.until(lambda shows: "I look at it" in shows)
        assert "A?" not in shows
        (tmp_path / "go").touch()
        shows = terminal.until(prompts)
        assert "A?" not in shows
        assert asked(shows)[:2] == ['T-1.2 "main"', "B?"]
        terminal.type("yours\n")
        assert terminal.exit_status() == 0
        assert terminal.shows.endswith("\nmineyours")


# What is odd, and much. --------------------------------------------------------------------------


def test_a_huge_question_fits_and_the_rest_is_counted(tmp_path: Path) -> None:
    text = """
    swarm.main(function()
      local show, choices = {}, {}
      for i = 1, 5000 do show[i] = "line " .. i end
      for i = 1, 300 do choices[i] = "choice " .. i end
      return swarm.ask(("what is it? "):rep(5000), {
        show = table.concat(show, "\\n"), choices = choices })
    end)
    """
    with at_terminal(tmp_path, text, columns=60, lines=20) as terminal:
        shows = terminal.until(prompts)
        assert len(shows.splitlines()) <= 20
        assert len(re.findall(r"… \d+ more lines: \? shows them", shows)) == 3
        assert "│ line 1\n" in shows
        terminal.resize(40, 10)
        terminal.until(lambda shows: prompts(shows) and len(asked(shows)) <= 9)
        terminal.type("choice 300\n")
        assert terminal.exit_status() == 0
        assert terminal.shows.endswith("\nchoice 300")


def test_what_a_terminal_would_obey_is_shown(tmp_path: Path) -> None:
    text = r"""
    swarm.worker "odd" {
      label = "a\27[2Jb",
      run = function()
        return swarm.ask("x\27]0;title\7\255y \226\128\174z\r!", {
          choices = { "\27[31mred", "blue" }, show = "1\27[2J\0\n2\t3" })
      end,
    }
    swarm.main(function() return swarm.call "odd" end)
    """
    with at_terminal(tmp_path, text) as terminal:
        shows = terminal.until(prompts)
        assert asked(shows)[:5] == [
            'T-2.1 "odd" [a [2Jb]',
            r"x\x1b]0;title\x07�y \u202ez\x0d!",
            r"│ 1\x1b[2J\x00",
            "│ 2       3",
            r"1) \x1b[31mred  2) blue",
        ]
        terminal.type("2\n")
        assert terminal.exit_status() == 0
        assert b"\x1b[2J" not in terminal.wrote
        assert b"\x1b[31m" not in terminal.wrote


def test_a_hundred_questions_in_turn(tmp_path: Path) -> None:
    text = """
    swarm.worker "asks" { run = function(_, n) return swarm.ask("Number " .. n .. "?") end }
    swarm.main(function()
      local all = {}
      for n = 1, 100 do all[n] = n end
      return table.concat(swarm.map("asks", all), " ")
    end)
    """
    with at_terminal(tmp_path, text) as terminal:
        answered: set[str] = set()

        def further(shows: str) -> bool:
            return prompts(shows) and asked(shows)[1] not in answered

        for _ in range(100):
            [line] = asked(terminal.until(further))[1:2]
            answered.add(line)
            terminal.type(f"{line[7:-1]}\n")
        assert terminal.exit_status() == 0
        shown = re.sub(r"\s", "", terminal.shows)
        assert shown.endswith("".join(str(n) for n in range(1, 101)))


# An editor, and JSON. ----------------------------------------------------------------------------


def test_an_editor_takes_a_long_text(tmp_path: Path) -> None:
    (tmp_path / "edit").write_text(
        '#!/bin/sh\necho edits\nread line\nprintf "%s\\nof two\\n" "$line" > "$1"\n'
    )
    (tmp_path / "edit").chmod(0o755)
    name = script(tmp_path, OTHER_THINGS).name
    with Emulator(tmp_path, name, environment={"VISUAL": str(tmp_path / "edit")}) as terminal:
        terminal.until(prompts)
        terminal.type("!e\n")
        terminal.until(lambda shows: shows.endswith("edits"))
        (tmp_path / "log").touch()
        terminal.type("the first line\n")
        shows = terminal.until(lambda shows: "What? the first line of two" in shows)
        (tmp_path / "end").touch()
        assert terminal.exit_status() == 0
        assert terminal.shows.endswith("\nthe first line\nof two")
    edits = shows.partition("edits\n")[2].splitlines()
    assert edits[0] == "the first line"  # what was logged meanwhile came afterwards
    assert any(line.endswith("something else") for line in edits[1:])


def test_an_editor_that_fails_leaves_the_question(tmp_path: Path) -> None:
    name = script(tmp_path, WHY).name
    with Emulator(tmp_path, name, environment={"VISUAL": "/nowhere/ed"}) as terminal:
        terminal.until(prompts)
        terminal.type("!e\n")
        terminal.until(lambda shows: "/nowhere/ed cannot be started: No such file" in shows)
        terminal.type("so\n")
        assert terminal.exit_status() == 0


def test_json_is_asked_for_where_there_is_a_schema(tmp_path: Path) -> None:
    text = """
    swarm.main(function()
      return swarm.ask("How many?", { schema = { type = "integer" }, show = swarm.file "notes" })
    end)
    """
    (tmp_path / "notes").write_text("some notes\n")
    with at_terminal(tmp_path, text) as terminal:
        shows = terminal.until(prompts)
        assert asked(shows)[2] == "│ some notes"
        terminal.type("many\n")
        terminal.until(lambda shows: 'the answer is to be JSON: a text has quotes: "many"' in shows)
        terminal.type('"many"\n')
        terminal.until(lambda shows: "answer does not fit: " in shows)
        terminal.type("7\n")
        assert terminal.exit_status() == 0
        assert terminal.shows.endswith("\n7")


def test_an_editor_is_ended_where_somebody_else_answers(tmp_path: Path) -> None:
    (tmp_path / "edit").write_text("#!/bin/sh\necho edits\nexec sleep 1000\n")
    (tmp_path / "edit").chmod(0o755)
    name = script(tmp_path, WHY).name
    with Emulator(tmp_path, name, environment={"EDITOR": str(tmp_path / "edit")}) as terminal:
        terminal.until(prompts)
        terminal.type("!e\n")
        terminal.until(lambda shows: shows.endswith("edits"))
        assert run("answer", "last", "T-1.1", "so").returncode == 0
        assert terminal.exit_status() == 0
        assert f'T-1.1 "main": {ME} answered (socket): so\n' in terminal.shows
        assert modes(terminal) == BOTH
