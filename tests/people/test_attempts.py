"""Attempts that are an operator's, in runs that end without an answer and are resumed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from swarm_host.journal.questions import NotAnswered, answer
from tests.serving.running import asked, listening
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


def test_a_question_that_is_not_utf_8_keeps_no_other_from_being_listed(tmp_path: Path) -> None:
    text = """
    swarm.worker "w" { operator = "lead" }
    swarm.main(function()
      local a, b = swarm.spawn("w", "a\\255"), swarm.spawn("w", "b")
      return { a:result(), b:result() }
    end)
    """
    with listening(tmp_path, text, "--on-ask", "wait") as one, one.connect() as client:
        found = asked(client, "answer_query", wait=60)["result"]["questions"]
        while len(found) < 2:
            found = asked(client, "answer_query", beyond=0)["result"]["questions"]
        assert [question["question"] for question in found] == ["a\ufffd", "b"]
