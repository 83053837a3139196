"""``swarm-host tail``: what a task says, for people and as JSON, and how it has ended."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.serving.running import SECONDS, Listening, listening

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
swarm.worker "again" { retries = { max = 2, backoff = 0.3 }, run = function(ctx, go)
  ctx:progress(ctx.attempt .. ".0")
  repeat swarm.sleep(0.01) until swarm.fs.exists(go)
  for i = 1, 4 - ctx.attempt do ctx:progress(ctx.attempt .. "." .. i) swarm.sleep(0.05) end
  assert(ctx.attempt == 3, "not yet")
end }
swarm.worker "sleeps" { run = function(ctx) ctx:progress "here" swarm.sleep(600) end }
"""


def tailed(run: Listening, *words: str) -> tuple[int, list[str], str]:
    """The exit status of a tail, what it says without the times, and its last line."""
    done = run.done("tail", *words)
    return done.returncode, untimed(done.stdout), done.stderr.replace(run.script, "PATH")


def untimed(said: str) -> list[str]:
    return re.sub(r"^\d\d:\d\d:\d\d ", "", said, flags=re.MULTILINE).splitlines()


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
        ("fail", 1, [], "error: {} failed: PATH:10: no luck\n"),
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
        assert joined.stderr.replace(run.script, "PATH") == (
            "" if status == 0 else end.format(task)
        )


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
        assert end == f"error: {task} failed: PATH:14: exit code 3: a\ufffdb\n"


def test_all_attempts_are_followed_and_none_of_their_events_is_lost(tmp_path: Path) -> None:
    with listening(tmp_path, WORKERS, "serve") as run:
        task = spawned(run, "again", str(tmp_path / "go"))
        tail = run.begun("tail", "-f", "last", task)
        assert tail.stdout is not None
        assert b"progress: 1.0" in tail.stdout.readline()
        (tmp_path / "go").touch()
        out, end = tail.communicate(timeout=SECONDS)
        third = ["progress: 3.0", "progress: 3.1", "final: null"]
        assert untimed(out.decode()) == [
            *(f"progress: 1.{one}" for one in (1, 2, 3)),
            "attempt 2",
            *(f"progress: 2.{one}" for one in (0, 1, 2)),
            "attempt 3",
            *third,
        ]
        assert (tail.returncode, end.decode()) == (0, f"{task} passed\n")
        assert tailed(run, "last", task) == (0, third, f"{task} passed\n")


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
        _, said = tail.communicate(timeout=SECONDS)
        assert tail.returncode == 1
        ends = "the run is over (cancelled)", "the run has ended", f"{task} cancelled: cancelled"
        assert said.decode().startswith(tuple(f"error: {end}" for end in ends))
