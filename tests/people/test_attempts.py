"""Attempts that are an operator's, in runs that end without an answer and are resumed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from swarm_host.journal.questions import NotAnswered, answer
from tests.support.command_line import run, script

TEXT = """
swarm.worker "review" { operator = "lead" }
swarm.worker "approve" { operator = "lead", choices = { "yes", "no" }, prompt = "{input.what}?" }
swarm.main(function()
  local a, b = swarm.spawn("review", { n = 1 }), swarm.spawn("approve", { what = "merge" })
  return { a:result(), b:result() }
end)
"""


def test_a_run_waits_for_attempts_and_is_resumed(tmp_path: Path) -> None:
    journal = tmp_path / "j"
    done = run("--journal", journal, script(tmp_path, TEXT))
    assert done.returncode == 75, done.stderr
    assert b"merge? (yes, no)" in done.stderr
    with pytest.raises(NotAnswered, match="the answer is one of yes, no"):
        answer(journal, "T-3.1", {"any": "value"}, "Ann", None)
    answer(journal, "T-2.1", {"faults": [3]}, "Ann", None)
    again = run("resume", "--json", journal)
    assert again.returncode == 75, again.stderr
    answer(journal, "T-3.1", "yes", "Bob", None)
    last = run("resume", "--json", journal)
    assert last.returncode == 0, last.stderr
    assert json.loads(last.stdout) == [{"faults": [3]}, "yes"]
