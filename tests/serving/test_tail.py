"""``swarm-host tail``: what a task says, for people and as JSON, and how it has ended."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.serving.running import Listening, listening

WORKERS = """
swarm.worker "says" { run = function(ctx, how)
  ctx:progress("reading", "file 1")
  ctx:partial "two\\nlines"
  ctx:partial { n = 1 }
  ctx:artifact("report", "whatever")
  ctx:usage { tokens = 1200, cost = 0.02 }
  ctx:progress "\\27[2J"
  if how == "fail" then error("no luck", 0) end
  if how == "block" then return swarm.blocked("half", "nobody is there") end
  return how
end }
swarm.worker "program" { shell = [[printf 'a\\377b\\n' >&2; exit 3]] }
swarm.worker "again" { retries = { max = 2, backoff = 0.3 }, run = function(ctx)
  for i = 1, 4 - ctx.attempt do ctx:progress(ctx.attempt .. "." .. i) swarm.sleep(0.05) end
  assert(ctx.attempt == 3, "not yet")
end }
swarm.worker "sleeps" { run = function(ctx) ctx:progress "here" swarm.sleep(600) end }
"""


def tailed(run: Listening, *words: str) -> tuple[int, list[str], str]:
    """The exit status of a tail, what it says without the times, and its last line."""
    done = run.done("tail", *words)
    said = re.sub(r"^\d\d:\d\d:\d\d ", "", done.stdout, flags=re.MULTILINE)
    return done.returncode, said.splitlines(), done.stderr


def spawned(run: Listening, *words: str) -> str:
    return run.say("spawn", "last", *words).strip()


SAID = [
    "progress: reading: file 1",
    "partial: two",
    "partial: lines",
    'partial: {"n": 1}',
    "artifact: report",
    "usage: 1.2k tokens $0.02",
    "progress: \\x1b[2J",
]


@pytest.mark.parametrize(
    ("how", "status", "more", "end"),
    [
        ("well", 0, ["final: well"], "{} passed\n"),
        ("fail", 1, [], "error: {} failed: no luck\n"),
        ("block", 3, ["final: half"], "{} is blocked: nobody is there\n"),
    ],
)
def test_it_says_what_there_was_and_how_it_ended(
    tmp_path: Path, how: str, status: int, more: list[str], end: str
) -> None:
    with listening(tmp_path, WORKERS, "serve") as run:
        task = spawned(run, "says", how)
        expected = status, [*SAID, *more], end.format(task)
        assert tailed(run, "-f", "last", task) == expected
        assert tailed(run, "last", task) == expected  # it has ended: nothing is to be followed
        joined = run.done("join", "last", task)
        assert joined.returncode == status
        assert joined.stderr == ("" if status == 0 else end.format(task))


def test_json_is_an_event_a_line(tmp_path: Path) -> None:
    with listening(tmp_path, WORKERS, "serve") as run:
        status, lines, end = tailed(run, "-f", "--json", "last", task := spawned(run, "says", "1"))
        assert (status, end) == (0, f"{task} passed\n")
        events = [json.loads(line) for line in lines]
        assert [event["seq"] for event in events] == [*range(1, 8)]
        assert events[1]["chunk"]["value"] == "two\nlines"


def test_of_a_program_that_writes_no_text_all_is_told(tmp_path: Path) -> None:
    with listening(tmp_path, WORKERS, "serve") as run:
        task = spawned(run, "program")
        status, lines, end = tailed(run, "-f", "last", task)
        assert (status, lines) == (1, ["err: a\ufffdb"])
        assert end.startswith(f'error: {task} failed: worker "program": exit code 3')


def test_all_attempts_are_followed_and_none_of_their_events_is_lost(tmp_path: Path) -> None:
    with listening(tmp_path, WORKERS, "serve") as run:
        task = spawned(run, "again")
        attempts = ["1.1", "1.2", "1.3", "2.1", "2.2", "3.1"]
        said = [f"progress: {one}" for one in attempts]
        said = [*said[:3], "attempt 2", *said[3:5], "attempt 3", *said[5:], "final: null"]
        assert tailed(run, "-f", "last", task) == (0, said, f"{task} passed\n")
        last = (0, ["progress: 3.1", "final: null"], f"{task} passed\n")
        assert tailed(run, "last", task) == last


def test_one_that_goes_on_is_said_to(tmp_path: Path) -> None:
    with listening(tmp_path, WORKERS, "serve") as run:
        task = spawned(run, "sleeps")
        while "here" not in run.say("ps", "last"):
            assert run.process.poll() is None
        end = f"{task} is running; tail -f goes on until it has ended\n"
        assert tailed(run, "last", task) == (0, ["progress: here"], end)


def test_the_end_of_the_run_ends_it(tmp_path: Path) -> None:
    with listening(tmp_path, WORKERS, "serve") as run:
        task = spawned(run, "sleeps")
        tail = run.begun("tail", "-f", "last", task)
        assert tail.stdout is not None
        assert b"here" in tail.stdout.readline()
        run.process.terminate()
        _, said = tail.communicate(timeout=20)
        assert tail.returncode == 1
        ends = "the run is over (cancelled)", "the run has ended", f"{task} cancelled: cancelled"
        assert said.decode().startswith(tuple(f"error: {end}" for end in ends))
