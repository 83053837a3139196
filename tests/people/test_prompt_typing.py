"""What is typed and pasted at a prompt, and for which question it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.journal.looking.journals import Journals
from tests.people.prompting import ASKS, WHY, asked, asks, at_terminal, prompts
from tests.people.test_answer import journals  # noqa: F401 - a fixture
from tests.support.command_line import run


@pytest.fixture(autouse=True)
def _alone(journals: Journals) -> None:  # noqa: F811 - a fixture
    """In a folder, with journals of its own."""


def test_a_line_is_typed_with_the_usual_keys(tmp_path: Path) -> None:
    with at_terminal(tmp_path, WHY) as terminal:
        terminal.until(prompts)
        terminal.type("nothing\x15bäd\x7f\x7f\x7fbecause of  it\x17\x1b[D\x1bOAthem\x07")
        terminal.until(lambda shows: shows.endswith("\n> because of  them"))
        terminal.type("\n")
        assert terminal.exit_status() == 0
        assert terminal.shows.endswith("\nbecause of  them")


def test_enter_is_the_default(tmp_path: Path) -> None:
    with at_terminal(tmp_path, WHY) as terminal:
        shows = terminal.until(prompts)
        assert asked(shows)[2].startswith("Enter: just so · ")
        terminal.type("\n")
        assert terminal.exit_status() == 0
        assert terminal.shows.endswith("\njust so")


def test_a_late_enter_does_not_take_the_default_of_the_next_question(tmp_path: Path) -> None:
    text = ASKS.replace("{ choices = {", '{ default = "yes", choices = {')
    with at_terminal(tmp_path, text, "prod", "test") as terminal:
        terminal.until(asks("prod"))
        terminal.type("no")
        terminal.until(lambda shows: shows.endswith("> no"))
        assert run("answer", "last", "T-2.1", "no").returncode == 0
        terminal.until(asks("test"))
        terminal.type("\n")
        said = "the question has changed: Enter once more answers this one\n>"
        terminal.until(lambda shows: shows.endswith(said))
        terminal.type("\n")
        assert terminal.exit_status() == 0
        assert terminal.shows.endswith("\nno yes")


def test_a_paste_is_one_text(tmp_path: Path) -> None:
    with at_terminal(tmp_path, WHY) as terminal:
        terminal.until(prompts)
        assert terminal.wrote.count(b"\x1b[?2004h") == 1
        terminal.type("it is: \x1b[200~one\rtw\x04o\r\x1b[201~")
        terminal.until(lambda shows: shows.endswith("> it is: one↵two↵"))
        terminal.type("\n")
        assert terminal.exit_status() == 0
        assert terminal.wrote.endswith(b"it is: one\r\ntwo\r\n")
        assert terminal.wrote.count(b"\x1b[?2004l") == 1


def test_lines_that_come_at_once_are_not_taken(tmp_path: Path) -> None:
    with at_terminal(tmp_path, WHY) as terminal:
        terminal.until(prompts)
        terminal.type("one\ntwo\n")
        said = "several lines came at once, and none of it was taken: !e opens an editor\n>"
        terminal.until(lambda shows: shows.endswith(said))
        terminal.type("three\n")
        assert terminal.exit_status() == 0
        assert terminal.shows.endswith("\nthree")
