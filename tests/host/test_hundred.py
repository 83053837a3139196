"""A hundred agents in worktrees: ``tests/bench/hundred.py`` says what becomes of them."""

from __future__ import annotations

from tests.bench import hundred

SECONDS = 0.3
"""That each works for."""

RATIO, ATTEMPTS = 2.0, 3
"""Of what the slots allow. Machines are noisy: the bound counts as missed where it is so often."""


def test_all_is_told_nothing_is_left_and_the_slots_are_used() -> None:
    ratios = []
    for _ in range(ATTEMPTS):
        found = hundred.run(SECONDS)
        assert hundred.wrongs(found) == []
        said = found["said"]
        assert "7 tasks failed:" in said
        for label in ("hang 1", "hang 5", "fail 1", "fail 2"):
            assert f'worker "agent" [{label}]' in said
        assert 'pool "eight" is at its limit for ' in said
        assert "worktree" not in said  # none stays
        ratios.append(round(found["seconds"] / found["allowed"], 2))
        if ratios[-1] <= RATIO:
            return
    raise AssertionError(f"times of what the slots allow: {ratios}")
