"""How a prompt ends, and where there is none, or another one: ends of runs, jobs, other outputs."""

from __future__ import annotations

import re
import shlex
import signal
from pathlib import Path

import pytest

from tests.journal.looking.journals import Journals
from tests.people.prompting import (
    ASKS,
    BOTH,
    OTHER_THINGS,
    WHY,
    asks,
    at_terminal,
    modes,
    prompts,
)
from tests.people.test_answer import journals  # noqa: F401 - a fixture
from tests.support.command_line import SWARM_HOST, popen, run, script
from tests.support.emulator import Emulator
from tests.support.waiting import hold


@pytest.fixture(autouse=True)
def _alone(journals: Journals) -> None:  # noqa: F811 - a fixture
    """In a folder, with journals of its own."""


# Ends. -------------------------------------------------------------------------------------------


def test_ctrl_c_cancels_the_run_and_the_terminal_is_as_before(tmp_path: Path) -> None:
    with at_terminal(tmp_path, WHY) as terminal:
        terminal.until(prompts)
        assert modes(terminal) == 0
        terminal.type("half\x03")
        assert terminal.exit_status() == 130
        assert "cancelled by SIGINT" in terminal.shows
        assert "leave it" not in terminal.shows
        assert modes(terminal) == BOTH


def test_a_second_ctrl_c_leaves_the_terminal_as_before(tmp_path: Path) -> None:
    text = """
    swarm.worker "slow" { run = function()
      local ok = pcall(swarm.sleep, 1e6)
      swarm.shield(function()
        swarm.log.info "cleans up"
        swarm.sleep(1e6)
      end)
    end }
    swarm.worker "asks" { run = function() swarm.shield(function() swarm.ask "What?" end) end }
    swarm.main(function() swarm.spawn "slow" swarm.spawn "asks" end)
    """
    with at_terminal(tmp_path, text) as terminal:
        terminal.until(prompts)
        terminal.type("\x03")
        terminal.until(lambda shows: "waiting for the clean-up" in shows)
        terminal.type("\x03")
        assert terminal.exit_status() == 130
        assert modes(terminal) == BOTH


def test_ctrl_d_leaves_a_question_to_others(tmp_path: Path) -> None:
    with at_terminal(tmp_path, ASKS, "prod", "test") as terminal:
        terminal.until(asks("prod"))
        terminal.type("\x04")
        shows = terminal.until(asks("test"))
        lines = shows.splitlines()
        assert lines[0] == ('left to others: T-2.1 "deploy" [to prod]: Deploy to prod? (yes, no)')
        assert re.fullmatch("answer with: swarm-host answer [0-9a-f]+ KEY VALUE", lines[1])
        terminal.type("y\n")
        terminal.until(lambda shows: "Deploy to test? yes" in shows)
        hold(lambda: modes(terminal) == BOTH)
        assert run("answer", "last", "T-2.1", "no").returncode == 0
        assert terminal.exit_status() == 0
        assert terminal.shows.endswith("\nno yes")


def test_a_terminal_that_closes_ends_the_run_and_the_question_stays(tmp_path: Path) -> None:
    with at_terminal(tmp_path, ASKS, "--journal=j", "prod") as terminal:
        terminal.until(prompts)
        terminal.close()
        assert terminal.exit_status() == -signal.SIGHUP
    assert b"Deploy to prod?" in run("answer", "./j").stdout


def test_who_hears_of_no_hangup_goes_on_without_a_terminal(tmp_path: Path) -> None:
    script(tmp_path, ASKS)
    command = f"trap '' HUP; exec {shlex.join(SWARM_HOST)} --journal j script.lua prod 2>err >out"
    with Emulator(tmp_path, program=("sh", "-c", command)) as terminal:
        terminal.until(prompts)
        terminal.close()
        assert terminal.exit_status() == 75
    assert "a question waits for an answer:\n" in (tmp_path / "err").read_text()
    assert run("answer", "./j", "T-2.1", "yes").returncode == 0
    assert run("resume", "./j").stdout == b"yes\n"


def test_on_ask_exit_asks_nobody(tmp_path: Path) -> None:
    with at_terminal(tmp_path, ASKS, "--on-ask=exit", "prod") as terminal:
        assert terminal.exit_status() == 75
        assert terminal.shows.startswith("a question waits for an answer:\n")


@pytest.mark.parametrize("variable", [{"CI": "1"}, {"TERM": "dumb"}])
def test_where_nobody_sits_nobody_is_asked(tmp_path: Path, variable: dict[str, str | None]) -> None:
    name = script(tmp_path, ASKS).name
    with Emulator(tmp_path, name, "prod", environment=variable) as terminal:
        assert terminal.exit_status() == 75
        assert "a question waits for an answer:\n" in terminal.shows


def test_who_waits_without_a_terminal_says_for_what(tmp_path: Path) -> None:
    with popen("--on-ask=wait", script(tmp_path, ASKS), "prod") as process:
        assert process.stderr is not None
        said = process.stderr.readline().decode()
        assert said == 'a question waits: T-2.1 "deploy" [to prod]: Deploy to prod? (yes, no)\n'
        words = process.stderr.readline().decode().split()
        assert words[:4] == ["answer", "with:", "swarm-host", "answer"]
        assert run("answer", words[4], "T-2.1", "yes").returncode == 0
        assert process.communicate(timeout=30)[0] == b"yes\n"


# Jobs. -------------------------------------------------------------------------------------------

SHELL = ("bash", "--norc", "-i")
READY: dict[str, str | None] = {"PS1": "ready> ", "HISTFILE": ""}


def test_in_the_background_it_says_so_and_asks_in_the_foreground(tmp_path: Path) -> None:
    script(tmp_path, WHY)
    with Emulator(tmp_path, program=SHELL, environment=READY) as terminal:
        terminal.until(lambda shows: "ready>" in shows)
        terminal.type(f"stty tostop; {shlex.join(SWARM_HOST)} script.lua 2>err &\n")
        err = tmp_path / "err"
        hold(lambda: err.exists() and "fg brings its run to the terminal" in err.read_text())
        terminal.type("jobs\n")
        terminal.until(lambda shows: "Running" in shows)
        terminal.type("fg\n")
        terminal.until(lambda shows: prompts(shows) and "Why?" in shows)
        terminal.type("so\n")
        terminal.until(lambda shows: shows.endswith("\nso\nready>"))


def test_ctrl_z_takes_the_prompt_away_and_it_comes_back(tmp_path: Path) -> None:
    script(tmp_path, WHY)
    with Emulator(tmp_path, program=SHELL, environment=READY) as terminal:
        terminal.until(lambda shows: "ready>" in shows)
        terminal.type(f"{shlex.join(SWARM_HOST)} script.lua\n")
        terminal.until(lambda shows: prompts(shows) and "Why?" in shows)
        terminal.type("\x1a")
        shows = terminal.until(lambda shows: "Stopped" in shows and shows.endswith("ready>"))
        assert "leave it" not in shows
        terminal.type("fg\n")
        terminal.until(lambda shows: prompts(shows) and "Why?" in shows)
        terminal.type("so\n")
        terminal.until(lambda shows: shows.endswith("\nso\nready>"))


# Other ends, and other places. -------------------------------------------------------------------


def test_the_end_of_the_run_s_time_ends_it_with_the_prompt_open(tmp_path: Path) -> None:
    with at_terminal(tmp_path, WHY, "--timeout=1") as terminal:
        terminal.until(prompts)
        assert terminal.exit_status() == 124
        assert "leave it" not in terminal.shows
        assert modes(terminal) == BOTH


def test_sigquit_leaves_the_terminal_as_before(tmp_path: Path) -> None:
    with at_terminal(tmp_path, WHY) as terminal:
        terminal.until(prompts)
        terminal.type("\x1c")
        assert terminal.exit_status() == -signal.SIGQUIT
        assert modes(terminal) == BOTH


def test_a_trusted_script_that_exits_leaves_the_terminal_as_before(tmp_path: Path) -> None:
    text = """
    swarm.worker "exits" { run = function()
      repeat swarm.sleep(0.01) until swarm.fs.exists "go"
      os.exit(7)
    end }
    swarm.main(function() swarm.spawn "exits" return swarm.ask "What?" end)
    """
    with at_terminal(tmp_path, text, "--trust") as terminal:
        terminal.until(prompts)
        (tmp_path / "go").touch()
        assert terminal.exit_status() == 7
        assert "leave it" not in terminal.shows
        assert modes(terminal) == BOTH


@pytest.mark.parametrize(
    "words", ["--quiet", "--view=off", "--view=lines", "--json", "--no-journal"]
)
def test_it_asks_whatever_is_shown(tmp_path: Path, words: str) -> None:
    with at_terminal(tmp_path, WHY, words) as terminal:
        terminal.until(prompts)
        terminal.type("so\n")
        assert terminal.exit_status() == 0
        assert re.search('\n"?so"?$', terminal.shows)


def test_prints_stand_above_it_where_stderr_is_a_file(tmp_path: Path) -> None:
    text = OTHER_THINGS.replace('swarm.log.info "something else"', 'print "something else"')
    script(tmp_path, text)
    command = f"exec {shlex.join(SWARM_HOST)} script.lua 2>err"
    with Emulator(tmp_path, program=("sh", "-c", command)) as terminal:
        terminal.until(prompts)
        terminal.type("half a")
        terminal.until(lambda shows: shows.endswith("> half a"))
        (tmp_path / "log").touch()
        shows = terminal.until(lambda shows: "something else" in shows and "> half a" in shows)
        assert shows.splitlines()[0] == "something else"
        assert shows.splitlines()[-1] == "> half a"
        terminal.type(" line\n")
        terminal.until(lambda shows: 'T-1.1 "main": What? half a line' in shows)
        (tmp_path / "end").touch()
        assert terminal.exit_status() == 0
        assert terminal.shows.endswith("\nhalf a line")


def test_it_is_answered_in_a_flood(tmp_path: Path) -> None:
    text = """
    swarm.worker "floods" { run = function()
      local n = 0
      repeat n = n + 1 swarm.log.info("line " .. n) swarm.yield() until swarm.fs.exists "end"
    end }
    swarm.main(function()
      local floods = swarm.spawn "floods"
      local answer = swarm.ask "What?"
      swarm.fs.write("end", "")
      swarm.join(floods)
      return answer
    end)
    """
    with at_terminal(tmp_path, text) as terminal:
        terminal.until(lambda shows: "What?" in shows and prompts(shows))
        terminal.type("half a")
        terminal.until(lambda shows: shows.endswith("> half a"))
        terminal.type(" line\n")
        assert terminal.exit_status() == 0
        assert terminal.shows.endswith("\nhalf a line")
        assert "info: [floods T-2] line" in terminal.shows
