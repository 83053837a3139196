"""What is told at the end of a run."""

from __future__ import annotations

from typing import Any

from swarm_host.view.summary import summary_of, told_in
from tests.support.frames import counts

NOTHING: dict[str, Any] = {
    "failed": {"many": 0, "tasks": []},
    "blocked": {"many": 0, "tasks": []},
    "retried": {"many": 0, "tasks": []},
    "slowest": [],
    "used": {},
    "worktrees": {"many": 0, "trees": []},
}
COUNTS = counts(0, 0, 12, 1, 2, 0, 0)


def task(number: int, **fields: Any) -> dict[str, Any]:
    return {"name": "review", "label": f"{number}.md", "task_id": f"T-{number}", **fields}


def listed(*tasks: dict[str, Any], many: int | None = None) -> dict[str, Any]:
    return {"many": len(tasks) if many is None else many, "tasks": list(tasks)}


def test_where_there_is_nothing_to_tell_nothing_is() -> None:
    assert summary_of(NOTHING, COUNTS, 3600) == []


def test_what_failed_comes_first_and_what_was_used_last() -> None:
    why = 'worker "review" [5.md] was late'
    again = task(5, attempts=2, status="pass", reason=why)
    summary = {
        **NOTHING,
        "failed": listed(task(3, reason="x.lua:1: boom\nmore", status="failed", attempts=3)),
        "blocked": listed(task(4, reason="needs a person")),
        "retried": listed(
            task(3, attempts=3, status="failed"),
            again,
        ),
        "slowest": [task(6, seconds=61, status="pass"), task(7, seconds=9.9, status="pass")],
        "used": {"tokens": 12431, "input": 10000, "output": 2431, "cost": 0.314},
    }
    assert summary_of(summary, COUNTS, 75.4) == [
        "1 task failed:",
        '  worker "review" [3.md] (T-3): x.lua:1: boom\n    more (after 3 attempts)',
        "1 task ended blocked:",
        '  worker "review" [4.md] (T-4): needs a person',
        "1 task was tried again:",
        '  worker "review" [5.md] (T-5): passed at attempt 2, after: was late',
        "took longest:",
        '  1:01  worker "review" [6.md] (T-6)',
        '   9 s  worker "review" [7.md] (T-7)',
        "used: 12.4k tokens (10.0k input, 2.4k output), $0.31",
        "12 passed · 2 failed · 1 blocked · 1:15",
    ]


def test_the_times_of_a_short_run_are_not_told() -> None:
    summary = {**NOTHING, "slowest": [task(6, seconds=2), task(7, seconds=1)]}
    assert summary_of(summary, COUNTS, 9.9) == []
    assert summary_of(summary, COUNTS, 10)[0] == "took longest:"


def test_ten_failures_are_told_and_the_rest_is_counted() -> None:
    tasks = [task(number, reason="why", status="failed") for number in range(20)]
    lines = summary_of({**NOTHING, "failed": listed(*tasks, many=1000)}, COUNTS, 1)
    assert lines[0] == "1000 tasks failed:"
    assert len(lines) == 12
    assert lines[-1] == "  and 990 more"


def test_a_failure_that_the_error_tells_is_not_told_twice() -> None:
    error = {
        "task_id": "T-1",
        "cause": {"task_id": "T-2", "cause": {"task_id": "T-3"}},
        "errors": [{"task_id": "T-4"}],
        "others": [{"task_id": "T-5", "others": [{"task_id": "T-6"}]}],
    }
    assert told_in(error) == {f"T-{number}" for number in range(1, 7)}
    assert told_in(None) == set()
    tasks = [task(number, reason="why", status="failed") for number in (2, 3, 9)]
    summary = {**NOTHING, "failed": listed(*tasks)}
    assert summary_of(summary, COUNTS, 1, told=told_in(error)) == [
        "1 task failed:",
        '  worker "review" [9.md] (T-9): why',
    ]
    all_told = {**NOTHING, "failed": listed(*tasks[:2])}
    assert summary_of(all_told, COUNTS, 1, told=told_in(error)) == []


def test_one_that_failed_with_what_failed_below_it_is_not_told_apart() -> None:
    tasks = [
        task(4, reason="boom", parent="T-3", status="failed"),
        task(3, reason="boom", parent="T-2", status="failed"),
        task(2, reason="of its own", parent="T-1", status="failed"),
    ]
    assert summary_of({**NOTHING, "failed": listed(*tasks)}, COUNTS, 1) == [
        "2 tasks failed:",
        '  worker "review" [4.md] (T-4): boom',
        '  worker "review" [2.md] (T-2): of its own',
        "  and 1 above them",
    ]


def test_the_total_is_told_where_it_was_seen() -> None:
    assert summary_of(NOTHING, COUNTS, 3, total=True) == ["12 passed · 2 failed · 1 blocked · 3 s"]
