"""The line of progress: what it says, and that it stays one line."""

from __future__ import annotations

from swarm_host.view.progress import progress_line

NAMES = ("live", "running", "pass", "blocked", "failed", "cancelled", "timeout")


def test_it_says_who_runs_waits_and_has_ended() -> None:
    counts = dict(zip(NAMES, (3, 2, 4, 0, 1, 0, 2), strict=True))
    assert progress_line(counts, 12.4) == (
        "2 running · 1 pending · 4 passed · 1 failed · 2 timeout · 12 s"
    )
    assert progress_line(dict.fromkeys(NAMES, 0), 0) == "0 running · 0 passed · 0 s"


def test_it_is_cut_to_the_width_of_the_terminal() -> None:
    counts = dict.fromkeys(NAMES, 123456)
    whole = progress_line(counts, 3600)
    assert len(whole) > 79
    for width in (20, 79, len(whole) - 1):
        line = progress_line(counts, 3600, width)
        assert len(line) == width
        assert line.endswith("…")
    assert progress_line(counts, 3600, len(whole)) == whole
