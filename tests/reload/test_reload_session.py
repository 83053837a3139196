"""The session in spec/host/reload.md is what a terminal shows."""

from __future__ import annotations

from tests.support.reload_session import STEPS, in_page, play


def test_the_session_in_the_page_is_what_the_screen_shows() -> None:
    assert in_page() == f"\n{play()}\n"


def test_the_page_has_all_steps() -> None:
    assert all(step.title in in_page() for step in STEPS)
