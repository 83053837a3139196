"""Journals of the test's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.journal.looking.journals import Journals


@pytest.fixture
def journals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Journals:
    """The journals of a user who has run nothing yet."""
    state = tmp_path / "state"
    monkeypatch.setenv("XDG_STATE_HOME", str(state))
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(home))
    return Journals(tmp_path, state / "swarm-host" / "runs", home)
