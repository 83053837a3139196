"""``scripts/review.lua``: over a small repository with a fake agent, and with a real one where
``SWARM_REVIEW_AGENT`` names it."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.support.command_line import SWARM_HOST, run

ROOT = Path(__file__).resolve().parents[2]
REVIEW = ROOT / "scripts" / "review.lua"
FAKES = ROOT / "tests" / "fakes" / "bin"
REAL = os.environ.get("SWARM_REVIEW_AGENT")

AGENT = """#!/bin/sh
# A fake that says something else of each file.
prompt=$(cat)
FAKE_AGENT=tools
case "$prompt" in
  *"changed in bad.lua."*) FAKE_AGENT_ANSWER='{"findings": [
    {"line": 9, "severity": "low", "problem": "a name\\u001b[2J\\nsays nothing", "advice": "it"},
    {"line": 2, "severity": "high", "problem": "it prints twice", "advice": "return"},
    {"line": 1, "severity": "high", "problem": "it breaks", "advice": "mend it"}]}' ;;
  *"changed in below/good.py."*) FAKE_AGENT_ANSWER='{"findings": []}' ;;
  *"changed in broken.md."*) FAKE_AGENT=fail ;;
  *) FAKE_AGENT=never_fits ;;
esac
export FAKE_AGENT FAKE_AGENT_ANSWER
printf %s "$prompt" | exec FAKES/claude "$@"
"""

REPORT = """\
bad.lua
  high      1  it breaks
               mend it
  high      2  it prints twice
               return
  low       9  a name [2J says nothing
               it
below/good.py: nothing found
broken.md: NOT REVIEWED, it broke

3 files: 2 high, 0 medium, 1 low; 1 not reviewed; 360 tokens, 0.04 USD
"""


def git(folder: Path, *words: str) -> str:
    name = ["-c", "user.name=a", "-c", "user.email=a@b"]
    return subprocess.run(
        ["git", "-C", folder, *name, *words], check=True, capture_output=True, text=True
    ).stdout


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three files that the last commit has changed; `gone` it has deleted, `image` is binary."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.delenv("SWARM_REVIEW_AGENT", raising=False)
    folder = tmp_path / "repository"
    (folder / "below").mkdir(parents=True)
    git(folder, "init", "-q")
    (folder / "gone").write_text("x")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "first")
    (folder / "gone").unlink()
    (folder / "bad.lua").write_text("print(1)\nprint(1)\n")
    (folder / "below" / "good.py").write_text("pass\n")
    (folder / "broken.md").write_text("text\n")
    (folder / "image").write_bytes(b"\0\1\2")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "second")
    return folder


def with_agent(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Puts the fake agent on PATH."""
    (folder / "bin").mkdir()
    agent = folder / "bin" / "claude"
    agent.write_text(AGENT.replace("FAKES", str(FAKES)))
    agent.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}")


def test_it_tells_findings_by_file_and_severity_who_failed_and_the_cost(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_agent(tmp_path, monkeypatch)
    out = tmp_path / "findings.json"
    done = run(REVIEW, "--out", out, "HEAD~1..HEAD", cwd=repository)
    assert done.stdout.decode() == REPORT, done.stderr.decode()
    assert done.returncode == 3
    reason = b"blocked: findings of high severity: 2, files not reviewed: 1\n"
    assert reason in done.stderr
    assert b"worktree" not in done.stderr
    found = json.loads(out.read_text())
    assert [(one["path"], one["line"]) for one in found["findings"]] == [
        ("bad.lua", 1),
        ("bad.lua", 2),
        ("bad.lua", 9),
    ]
    assert found["not_reviewed"] == [{"path": "broken.md", "why": "it broke"}]
    assert git(repository, "worktree", "list").count("\n") == 1


def test_it_reviews_what_a_range_changed_from_a_folder_below_too(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_agent(tmp_path, monkeypatch)
    (repository / "below" / "good.py").write_text("pass\npass\n")
    git(repository, "commit", "-qam", "third")
    done = run(REVIEW, cwd=repository / "below")
    assert done.stdout.decode().startswith("below/good.py: nothing found\n\n1 files: 0 high")
    assert done.returncode == 0
    done = run(REVIEW, "HEAD..HEAD", cwd=repository)
    assert (done.stdout, done.returncode) == (b"nothing changed in HEAD..HEAD\n", 0)


def test_a_budget_bounds_it(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_agent(tmp_path, monkeypatch)
    done = run("--budget", "cost=0.02", REVIEW, "--slots", "1", cwd=repository)
    assert b"broken.md: NOT REVIEWED, worker" in done.stdout  # the third of them
    assert b"the budget of cost of the run is spent" in done.stdout
    assert done.returncode == 3


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--agnt", "x"], "what is --agnt?"),
        (["--slots"], "--slots needs a value"),
        (["--slots", "many"], "--slots N"),
        (["--agent", "cloude"], 'there is no agent "cloude"; did you mean claude?'),
        (["a..b", "c..d"], "what is c..d?"),
    ],
)
def test_a_wrong_option_says_so(repository: Path, words: list[str], says: str) -> None:
    done = run(REVIEW, *words, cwd=repository)
    assert done.returncode == 2
    assert says in done.stderr.decode()


def test_a_range_that_is_none_is_what_git_says(repository: Path) -> None:
    done = run(REVIEW, "nowhere..HEAD", cwd=repository)
    assert done.returncode == 1
    assert b"bad revision 'nowhere..HEAD'" in done.stderr


@pytest.mark.skipif(not REAL, reason="SWARM_REVIEW_AGENT names no agent that is installed")
def test_a_real_agent_reviews_the_last_commit(repository: Path, tmp_path: Path) -> None:
    out = tmp_path / "findings.json"
    command = [*SWARM_HOST, str(REVIEW), "--agent", str(REAL), "--out", str(out)]
    done = subprocess.run(command, cwd=repository, capture_output=True, timeout=1800)
    assert done.returncode in (0, 3), done.stderr.decode()
    found = json.loads(out.read_text())
    assert found["not_reviewed"] == []
    assert found["usage"]["tokens"] > 0
