"""``scripts/approval.lua``: people have a say in it, and it is killed while it waits."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from swarm_host.journal.questions import answer
from tests.people.test_runs import open_questions
from tests.support.command_line import SWARM_HOST, run

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "approval.lua"


@pytest.fixture(autouse=True)
def _repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    who = ["-c", "user.email=a@b", "-c", "user.name=n"]
    for words in (
        ["init", "-q", "tree"],
        ["-C", "tree", *who, "commit", "-q", "--allow-empty", "-m", "the first"],
    ):
        subprocess.run(["git", *words], check=True)


def test_a_senior_overrides_a_person_approves_and_it_is_killed_while_it_waits() -> None:
    Path("tree/new").touch()
    words = ["--journal", "j", str(SCRIPT), "1.2", "tree"]
    assert run(*words).returncode == 75
    ((key, about),) = open_questions(Path("j")).items()
    assert about["to"] == "senior"
    assert "changes that are not committed" in about["question"]
    answer(Path("j"), key, "pass", "Sue", None)
    assert run("resume", "./j").returncode == 75
    ((key, about),) = open_questions(Path("j")).items()
    assert about["question"] == "Publish 1.2?"
    assert about["show"].endswith("the first")
    Path("tree/new").unlink()  # what was blocked would pass now: it is not looked at again
    Path("tree/other").touch()
    answer(Path("j"), key, "yes", "Pat", None)
    done = run("resume", "./j")
    assert (done.returncode, done.stdout) == (0, b"published 1.2\n"), done.stderr
    assert b"tasks had passed before" in done.stderr


def test_a_person_says_no() -> None:
    assert run("--journal", "j", SCRIPT, "1.2", "tree").returncode == 75
    ((key, _),) = open_questions(Path("j")).items()
    answer(Path("j"), key, "no", "Pat", None)
    done = run("resume", "./j")
    assert (done.returncode, done.stdout) == (3, b"1.2\n")
    assert b"it was not approved" in done.stderr


def test_killed_while_it_waits() -> None:
    words = [*SWARM_HOST, "--on-ask=wait", "--journal", "j", str(SCRIPT), "1.2", "tree"]
    with subprocess.Popen(words, stderr=subprocess.DEVNULL) as process:
        end = time.monotonic() + 60
        while not (Path("j").exists() and _asked(Path("j"))):
            assert time.monotonic() < end
            time.sleep(0.05)
        os.kill(process.pid, signal.SIGKILL)
    ((key, _),) = open_questions(Path("j")).items()
    answer(Path("j"), key, "yes", "Pat", None)
    done = run("resume", "./j", "--explain")
    assert (done.returncode, done.stdout) == (0, b"published 1.2\n"), done.stderr


def _asked(journal: Path) -> bool:
    import sqlite3

    try:
        return len(open_questions(journal)) > 0
    except sqlite3.Error:  # its tables are being made
        return False
