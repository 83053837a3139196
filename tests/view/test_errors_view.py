"""Errors on the screen: a tree that stays readable however much there is of it."""

from __future__ import annotations

from typing import Any

from swarm_host.view.errors import render


def an_error(message: str, **fields: Any) -> dict[str, Any]:
    return {"code": "failed", "message": message, "traceback": f"  at {message}", **fields}


def of_worker(message: str, task: str, **fields: Any) -> dict[str, Any]:
    return an_error(message, name="w", task_id=task, spawned_at=f"x.lua:{task[2:]}", **fields)


def test_lists_branch_off_below_the_error_that_holds_them() -> None:
    deep = of_worker("deep", "T-5")
    inner = of_worker("inner", "T-3", cause=of_worker("cause", "T-4", others=[deep]))
    error = an_error("top", cause=of_worker("first", "T-2", errors=[inner]), others=[deep])
    assert render(error).splitlines() == [
        "top",
        "  at top",
        'because worker "w" (T-2) failed: first',
        "  at first",
        "  spawned at x.lua:2",
        '  └─ worker "w" (T-3) failed: inner',
        "       at inner",
        "       spawned at x.lua:3",
        '     because worker "w" (T-4) failed: cause',
        "       at cause",
        "       spawned at x.lua:4",
        '     other errors beside that of worker "w":',
        '       └─ worker "w" (T-5) failed: deep',
        "            at deep",
        "            spawned at x.lua:5",
        "other errors:",
        '  └─ worker "w" (T-5) failed: deep',
        "       at deep",
        "       spawned at x.lua:5",
    ]


def test_who_spawned_is_named_where_the_line_is_not_known() -> None:
    cause = an_error("cause", name="w", task_id="T-2", spawned_by='worker "main" (T-1)')
    lines = render(an_error("top", cause=cause)).splitlines()
    assert lines[-1] == '  spawned by worker "main" (T-1)'


def test_what_is_blocked_did_not_fail() -> None:
    blocked = of_worker("blocked: later", "T-2", code="blocked")
    lines = render(an_error("top", errors=[blocked])).splitlines()
    assert lines[2] == '  └─ worker "w" (T-2) blocked: later'


def test_a_message_of_several_lines_stays_in_its_branch() -> None:
    error = an_error("top", errors=[an_error("one\ntwo"), an_error("")])
    lines = render(error).splitlines()
    assert lines[2:5] == ["  ├─ one", "  │  two", "  │    at one"]
    assert "  └─ " in lines


def test_ten_of_a_list_are_shown_and_the_rest_is_counted() -> None:
    error = an_error("top", errors=[an_error(f"error {i}") for i in range(25)])
    text = render(error)
    assert "error 9" in text
    assert "error 10" not in text
    assert text.endswith("  └─ and 15 more")


def test_a_tree_without_end_is_cut() -> None:
    def branch(depth: int) -> dict[str, Any]:
        return an_error("e", others=[branch(depth - 1) for _ in range(10)] if depth else [])

    lines = render(branch(4)).splitlines()
    assert len(lines) < 1000
    assert sum("─ e" in line for line in lines) == 100


def test_what_came_shortened_is_counted_whole() -> None:
    errors = [an_error(f"e{number}") for number in range(12)]
    lines = render(an_error("top", errors=errors, errors_left_out=19_988)).splitlines()
    assert lines[-1] == "  └─ and 19990 more"


def test_how_often_a_task_was_tried_is_told() -> None:
    cause = of_worker("ran out of time", "T-2", code="timeout", attempts=3)
    lines = render(an_error("top", cause=cause)).splitlines()
    assert lines[2] == "because ran out of time (after 3 attempts)"
