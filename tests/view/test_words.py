"""What is told of somebody beside his error, and how texts are cut."""

from __future__ import annotations

from typing import Any

import pytest

from swarm_host.entries import reason_of, words_before
from swarm_host.view.cells import cut_middle, width_of
from swarm_host.view.fronts.tree import Look, frame
from swarm_host.view.lingering import cancelling, still_running
from swarm_host.view.summary import summary_of
from tests.support.frames import counts

COUNTS = counts(12, 3, 0, 0, 0, 0, 0)
HEAD = "its standard error ended with:"
LOG = "".join(f"line {number}\n" for number in range(1, 21))


@pytest.mark.parametrize(
    ("ended", "lines"),
    [
        ({}, []),
        ({"said": "reading: part 3\x1b"}, ["it said last: reading: part 3\\x1b"]),
        ({"stderr": "one line\n\n"}, []),  # the message has it
        (
            {"stderr": "1%\rdone\r\nbad\n"},
            [HEAD, "  done", "  bad"],
        ),
        ({"stderr": LOG}, [HEAD, "  line 18", "  line 19", "  line 20"]),
        ({"stderr": 7, "said": 7}, []),  # an author may put anything there
    ],
)
def test_what_was_said_before_an_end(ended: dict[str, Any], lines: list[str]) -> None:
    assert words_before(ended, 3) == lines


def test_a_reason_does_not_name_whose_it_is() -> None:
    task = {"name": "slow", "label": "a", "reason": 'worker "slow" [a] ran out of time'}
    assert reason_of(task) == "ran out of time"
    assert (
        reason_of({**task, "reason": 'x.lua:1: worker "slow": exit code 1'})
        == "x.lua:1: exit code 1"
    )


def test_a_title_keeps_its_end() -> None:
    assert cut_middle("review chapter-17.md", 14) == "revi…ter-17.md"
    assert cut_middle("review chapter-17.md", 20) == "review chapter-17.md"
    assert cut_middle("review chapter-17.md", 6) == "revie…"
    for columns in range(1, 40):
        assert width_of(cut_middle("漢字 日本語のラベル-17.md", columns)) <= columns


def row(number: int, **fields: Any) -> dict[str, Any]:
    return {
        "depth": 1,
        "name": "read",
        "label": f"{number}.md",
        "task_id": f"T-{number}",
        "status": "running",
        "seconds": float(number),
        "running": 0,
        "pending": 0,
        **fields,
    }


MAIN = row(1, depth=0, name="main", label=None, running=2, pending=9)
ROWS = [
    MAIN,
    row(2, stage="reading", note="part 3"),
    row(3, waits_for="a timer"),
    {"depth": 1, "left_out": 9},
]


def test_who_is_at_work_is_told_the_oldest_first() -> None:
    assert still_running(ROWS, 12) == [
        '  worker "read" [3.md] (T-3), 3 s: waits for a timer',
        '  worker "read" [2.md] (T-2), 2 s: reading: part 3',
        "  and 9 more",
    ]
    assert cancelling(ROWS, 12, "Ctrl-C")[0] == (
        "cancelling 12 workers; Ctrl-C again ends at once, without clean-up"
    )
    alone = row(1, depth=0, name="main", label=None)
    assert cancelling([alone], 1, "SIGTERM") == [
        'cancelling worker "main" (T-1); SIGTERM again ends at once, without clean-up'
    ]
    assert cancelling([], 0, "SIGTERM")[0].startswith("cancelling the run; ")


def test_of_the_same_age_the_first_comes_first() -> None:
    rows = [row(number, seconds=5.0) for number in range(2, 5)]
    lines = still_running(rows, 3)
    assert ["(T-2)" in lines[0], "(T-3)" in lines[1], "(T-4)" in lines[2]] == [True] * 3


def test_who_was_at_work_as_the_time_was_over_is_told_first() -> None:
    none: dict[str, Any] = {"many": 0, "tasks": []}
    summary = {
        "failed": none,
        "blocked": none,
        "retried": none,
        "slowest": [],
        "used": {},
        "worktrees": {"many": 0, "trees": []},
    }
    assert summary_of({**summary, "late": {"live": 12, "rows": ROWS}}, COUNTS, 1) == [
        "the run's time is over; at work were:",
        *still_running(ROWS, 12),
    ]
    alone = {**summary, "late": {"live": 1, "rows": ROWS[:1]}}
    assert summary_of(alone, COUNTS, 1) == []  # the error tells of main


def test_who_has_no_row_is_counted_below_the_others() -> None:
    lines = frame(ROWS, COUNTS, 3, 80, Look(colours=False))
    assert lines[3] == "└─ … 9 more"
    lines = frame(ROWS, COUNTS, 3, 80, Look(colours=False, unicode=False))
    assert lines[3] == "`- ~ 9 more"


def test_one_that_is_tried_again_says_why() -> None:
    again = row(2, status="pending", attempt=2, why="x.lua:1: flaky", waits_for="its next attempt")
    line = frame([MAIN, again], COUNTS, 3, 80, Look(colours=False))[1]
    assert line.endswith("attempt 2 after: x.lua:1: flaky")
