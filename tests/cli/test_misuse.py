"""What cannot be meant is told alike by all commands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from swarm_host.cli.commands import COMMANDS
from tests.support.command_line import run

CLI = Path(__file__).resolve().parents[2] / "spec/host/cli.md"
RUN_COMMANDS = {"cancel", "join", "spawn", "tail"}
WRONG = [
    *([name, "--nonsense"] for name in COMMANDS),
    *([name] for name in COMMANDS if name not in ("ps", "prune", "runs", "test")),
    *([name, "nowhere", "T-1"] for name in RUN_COMMANDS),
    ["ps", "nowhere"],
    ["--nonsense"],
    ["chekc"],
    ["nowhere.lua"],
    ["--timeout", "-1", "x.lua"],
    ["worker", "nonsense"],
    ["worker", "prompt"],
]


@pytest.mark.parametrize("words", WRONG, ids=" ".join)
def test_an_error_is_told_by_the_same_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    done = run(*words, cwd=tmp_path)
    said = done.stderr.decode()
    assert done.returncode in (1, 2)
    assert re.findall(r"^error: ", said, re.MULTILINE) == ["error: "], said
    assert "Error:" not in said
    assert done.stdout == b""


def test_the_page_has_each_command() -> None:
    page = CLI.read_text()
    assert not [name for name in (*COMMANDS, "worker") if f"`swarm-host {name}" not in page]
