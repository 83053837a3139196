"""Every example of the README and of the chapters runs, and prints what the page says.

A page names a script with ```` ```lua file=NAME ```` and shows runs with ```` ```console ````: the
lines after ``$ swarm-host …`` are what stdout and stderr say together, ``[exit N]`` the exit
status where it is not 0. On a page each log line was written at 12:00:00, and how to resume a run
is left out.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "spec").rglob("*.md"))]
TIME = re.compile(r"^\d\d:\d\d:\d\d (?=(?:debug|info|warn|error): |\[)", re.MULTILINE)
HINT = re.compile(r"^resume it with: swarm-host resume [0-9a-f]{12}\n", re.MULTILINE)
FENCE = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def examples(page: Path) -> list[tuple[dict[str, str], str, str]]:
    """The runs of a page: the files before it, the command, and what it must say."""
    files: dict[str, str] = {}
    runs = []
    for language, rest, body in FENCE.findall(page.read_text()):
        named = re.search(r"file=(\S+)", rest)
        if named:
            files[named.group(1)] = body
        elif language == "console":
            for run in re.split(r"^(?=\$ )", body, flags=re.MULTILINE):
                if run.strip():
                    command, _, said = run.partition("\n")
                    runs.append((dict(files), command[2:], said.rstrip("\n")))
    return runs


CASES = [(page, *example) for page in PAGES for example in examples(page)]


@pytest.mark.parametrize(
    ("page", "files", "command", "said"),
    CASES,
    ids=[f"{case[0].name}: {case[2]}" for case in CASES],
)
def test_example(
    page: Path, files: dict[str, str], command: str, said: str, tmp_path: Path
) -> None:
    assert got_from(files, command, tmp_path) == said, f"{page.name}: $ {command}"


def got_from(files: dict[str, str], command: str, tmp_path: Path) -> str:
    """What a command says, as pages show it."""
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    if command.startswith("swarm-host ") and "|" not in command:
        words = [sys.executable, "-m", "swarm_host", *shlex.split(command)[1:]]
    else:
        words = ["sh", "-c", command]
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    done = subprocess.run(
        words,
        cwd=tmp_path,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
    )
    got = TIME.sub("12:00:00 ", HINT.sub("", done.stdout).rstrip("\n"))
    if done.returncode != 0:
        got = f"{got}\n[exit {done.returncode}]".lstrip("\n")
    return got


def test_pages_have_examples() -> None:
    assert len(CASES) >= 2
