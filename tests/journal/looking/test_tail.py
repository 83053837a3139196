"""``swarm-host tail`` of journals: what a run did last, and what a task of one said that does not
listen any more."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.journal.looking.journals import SECONDS, Journals
from tests.support.command_line import SWARM_HOST

SCRIPT = """
swarm.worker "step" { retries = { max = 1, backoff = 0 }, run = function(ctx, what)
  swarm.fs.write("out", "")
  ctx:progress("tries", what .. " " .. ctx.attempt)
  if what == "fails" then error("no luck", 0) end
  if what == "asks" then return swarm.blocked(nil, "needs a person") end
  if ctx.attempt == 1 then error("not yet", 0) end
  ctx:usage { tokens = 1200 }
end }
swarm.main(function()
  for _, what in ipairs { "passes", "fails", "asks" } do swarm.join(swarm.spawn("step", what)) end
end)
"""


def said(journals: Journals, *words: str, status: int) -> tuple[list[str], str]:
    """What it prints, without times, and what it says on stderr."""
    command = [*SWARM_HOST, "tail", *words]
    done = subprocess.run(
        command, cwd=journals.folder, capture_output=True, text=True, timeout=SECONDS
    )
    assert done.returncode == status, done
    return [re.sub(r"^[\d:]{8} ", "", one) for one in done.stdout.splitlines()], done.stderr


def test_of_a_run_it_has_what_was_said_and_ended_last(journals: Journals) -> None:
    name = journals.ran(SCRIPT)
    assert said(journals, name, status=0) == (
        [
            "[step T-2 passes] progress: tries: passes 1",
            "[step T-2 passes] progress: tries: passes 2",
            "[step T-2 passes] usage: 1.2k tokens",
            "[step T-2 passes] pass",
            "[step T-4 fails] progress: tries: fails 1",
            "[step T-4 fails] progress: tries: fails 2",
            "[step T-4 fails] failed: script.lua:5: no luck",
            "[step T-6 asks] progress: tries: asks 1",
            "[step T-6 asks] blocked: needs a person",
            "[main T-1] pass",
        ],
        f"run {name}: pass\n",
    )


def test_of_many_it_has_twenty(journals: Journals) -> None:
    text = """
    swarm.worker "leaf" { run = function() end }
    swarm.main(function()
      for i = 1, 100 do swarm.call("leaf", i) end
      swarm.fs.write("out", "")
    end)
    """
    lines, _ = said(journals, journals.ran(text), status=0)
    assert lines == [f"[leaf T-{n + 1} {n}] pass" for n in range(82, 101)] + ["[main T-1] pass"]


def test_json_is_as_events_are(journals: Journals) -> None:
    name = journals.ran(SCRIPT)
    first, *_, last = journals.objects("tail", name)
    event = first.pop("event")
    assert (event["type"], event["stage"], event["at"]) == ("progress", "tries", first.pop("at"))
    known = {"task_id": "T-2", "name": "step", "label": "passes", "attempt": 1}
    assert first == {"type": "worker_output", **known}
    assert (last["type"], last["task_id"], last["error"]) == ("task_pass", "T-1", None)


@pytest.mark.parametrize(
    ("task", "status", "lines", "end"),
    [
        ("T-2", 0, ["progress: tries: passes 2", "usage: 1.2k tokens"], "T-2 passed"),
        ("T-4", 1, ["progress: tries: fails 2"], "T-4 failed: script.lua:5: no luck"),
        ("T-6", 3, ["progress: tries: asks 1"], "T-6 is blocked: needs a person"),
    ],
)
def test_of_a_task_it_has_the_last_attempt_and_ends_as_that_did(
    journals: Journals, task: str, status: int, lines: list[str], end: str
) -> None:
    name = journals.ran(SCRIPT)
    for words in ((name, task), (name, task, "-f")):
        printed, ended = said(journals, *words, status=status)
        assert printed == lines
        assert ended.endswith(f"{end}\n")


def test_a_run_that_goes_on_is_followed_until_it_ends(journals: Journals) -> None:
    text = """
    swarm.worker "step" { run = function(ctx, go)
      ctx:progress("waits")
      repeat swarm.sleep(0.01) until swarm.fs.exists(go)
      ctx:progress("goes on")
      error("no luck", 0)
    end }
    swarm.main(function(args) swarm.call("step", args[1]) end)
    """
    go = journals.folder / "go"
    with journals.running(text, args=[str(go)]) as process:
        command = [*SWARM_HOST, "tail", "last", "-f"]
        pipe = subprocess.PIPE
        with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True) as tail:
            assert tail.stdout is not None
            assert tail.stdout.readline().endswith("] progress: waits\n")
            go.touch()
            rest, end = tail.communicate(timeout=SECONDS)
            lines = [line.partition("] ")[2] for line in rest.splitlines()]
            assert lines[0] == "progress: goes on"
            assert [line[:8] for line in lines[1:]] == ["failed: ", "failed: "]
            assert all(line.endswith(": no luck") for line in lines[1:])
            assert end.endswith(": failed\n")
            assert tail.returncode == 1
        process.wait()


def test_without_following_it_says_that_the_run_goes_on(journals: Journals) -> None:
    text = 'swarm.main(function(_, ctx) ctx:progress("waits") swarm.sleep(1e6) end)'
    with journals.running(text):
        journals.until(
            lambda: said(journals, "last", status=0)[0] == ["[main T-1] progress: waits"]
        )
        _, end = said(journals, "last", status=0)
        assert end.endswith(": running; tail -f goes on until it has ended\n")


def test_a_run_that_was_killed_ends_who_follows_it(journals: Journals) -> None:
    text = 'swarm.main(function(_, ctx) ctx:progress("waits") swarm.sleep(1e6) end)'
    with journals.running(text) as process:
        pipe = subprocess.PIPE
        command = [*SWARM_HOST, "tail", "last", "-f"]
        with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True) as tail:
            assert tail.stdout is not None
            assert tail.stdout.readline()
            process.kill()
            _, end = tail.communicate(timeout=SECONDS)
            assert end.endswith(": interrupted\n")
            assert tail.returncode == 1
    [name] = journals.ids()
    assert journals.error("tail", name, "T-1") == "T-1 interrupted: its run was killed"


def test_a_task_that_there_is_not(journals: Journals, tmp_path: Path) -> None:
    name = journals.ran(SCRIPT)
    assert journals.error("tail", name, "T-99").startswith("T-99 is none of its tasks: ")
    assert "there is no journal of a run" in journals.error("tail", "abcdef")
