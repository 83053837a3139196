"""What each worker says, line by line."""

from __future__ import annotations

from typing import Any

from swarm_host.view.fronts.following import Following, Line

AT = 1000.0


def event(kind: str, task: int = 2, at: float = AT, **fields: Any) -> dict[str, Any]:
    named = {"task_id": f"T-{task}", "name": "ask", "label": "Ada", "attempt": 1}
    return {"level": "event", "type": kind, "at": at, **named, **fields}


class Follower:
    """:ivar lines: what was said."""

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self.following = Following(self.lines.append)

    def begin(self) -> None:
        self.following.entry(event("task_created"))
        self.following.entry(event("task_attempt_started"))

    @property
    def said(self) -> list[tuple[str, str]]:
        return [(line.kind, line.text) for line in self.lines]


def test_an_attempt_begins_says_something_and_ends() -> None:
    follower = Follower()
    follower.begin()
    for output in (
        {"type": "progress", "stage": "reading", "note": "page 1"},
        {"type": "progress", "stage": "reading"},
        {"type": "partial", "text": "two\nlines\n"},
        {"type": "artifact", "name": "report"},
        {"type": "usage", "seq": 4, "at": AT, "input": 1000, "output": 200, "cost": 0.02},
        {"type": "usage", "seq": 5, "at": AT, "pages": 3},
        {"type": "usage", "seq": 6, "at": AT, "tokens": "many", "cost": True},
    ):
        follower.following.entry(event("worker_output", event=output))
    log = {"level": "warn", "message": "slow", "fields": {"ms": 7}, "task_id": "T-2", "at": AT}
    follower.following.entry(log)
    follower.following.entry(event("task_attempt_completed", at=AT + 2, status="pass"))
    follower.following.entry(event("task_pass", at=AT + 2))
    assert follower.said == [
        ("host", "began"),
        ("progress", "reading: page 1"),
        ("progress", "reading"),
        ("partial", "two"),
        ("partial", "lines"),
        ("artifact", "report"),
        ("usage", "1.2k tokens $0.02"),
        ("usage", '{"pages": 3}'),
        ("usage", '{"cost": true, "tokens": "many"}'),
        ("warn", "slow ms=7"),
        ("host", "passed after 2.0 s"),
    ]
    assert follower.lines[0].attempt[:4] == (2, "ask", "Ada", 1)
    assert follower.lines[-1].at == AT + 2


def test_one_that_is_tried_again_says_why() -> None:
    follower = Follower()
    follower.begin()
    follower.following.entry(event("task_attempt_completed", at=AT + 1, status="failed"))
    follower.following.entry(event("retry", at=AT + 1, status="failed", delay=0.5, reason="boom"))
    follower.following.entry(event("task_attempt_started", at=AT + 2, attempt=2))
    follower.following.entry(event("task_attempt_completed", at=AT + 3, status="timeout"))
    follower.following.entry(event("task_timeout", at=AT + 3, reason="ran out of time after 1 s"))
    assert follower.said == [
        ("host", "began"),
        ("host", "failed after 1.0 s: boom; tried again in 0.5 s"),
        ("host", "began, attempt 2"),
        ("host", "ran out of time after 1.0 s"),
    ]
    assert [line.attempt.number for line in follower.lines] == [1, 1, 2, 2]


def test_output_of_programs_comes_in_lines_however_it_comes() -> None:
    follower = Follower()
    follower.begin()
    for stream, data in (
        ("out", b"one\ntw"),
        ("err", b"problem\r\n"),
        ("out", b"o\n\nno \xff UTF-8\nlast"),
        ("err", b""),
    ):
        follower.following.output(2, stream, data)
    follower.following.entry(event("task_attempt_completed", status="pass"))
    assert follower.said[1:] == [
        ("out", "one"),
        ("err", "problem"),
        ("out", "two"),
        ("out", ""),
        ("out", "no � UTF-8"),
        ("out", "last"),
    ]


def test_a_line_without_end_is_broken() -> None:
    follower = Follower()
    follower.begin()
    for _ in range(100):
        follower.following.output(2, "out", b"x" * 10_000)
    follower.following.entry(event("task_attempt_completed", status="pass"))
    sizes = [len(text) for kind, text in follower.said if kind == "out"]
    assert sum(sizes) == 1_000_000
    assert max(sizes) <= 64 * 1024


def test_who_has_not_begun_or_has_ended_says_nothing() -> None:
    follower = Follower()
    follower.following.output(2, "out", b"early\n")
    follower.following.entry(event("task_created"))
    follower.following.entry(event("task_cancelled", reason="too late"))
    follower.following.entry({"level": "info", "message": "nobody's", "at": AT})
    follower.begin()
    follower.following.entry(event("task_attempt_completed", status="pass"))
    follower.following.entry(event("task_pass"))
    follower.following.output(2, "out", b"late\n")
    assert follower.said == [("host", "began"), ("host", "passed after 0.0 s")]
