"""Libraries that are on this machine run as in plain LuaJIT: trusted all, guarded all but some.

``python -m tests.ecosystem`` prints the whole table; ``LUA_LIBRARIES`` says where libraries are.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.ecosystem.reasons import NOT_GUARDED
from tests.ecosystem.trying import exercises, found, is_there, tried

LIBRARIES = found()


@pytest.mark.parametrize("name", [one for one in exercises() if is_there(LIBRARIES, one)])
def test_a_library_runs_as_in_plain_luajit(name: str, tmp_path: Path) -> None:
    problem = tried("plain", LIBRARIES, name, tmp_path)
    if problem:
        pytest.skip(f"not in plain LuaJIT either: {problem}")
    assert tried("trusted", LIBRARIES, name, tmp_path) == ""
    guarded = tried("guarded", LIBRARIES, name, tmp_path)
    assert bool(guarded) == (name in NOT_GUARDED), guarded


def test_what_has_a_reason_is_an_exercise() -> None:
    assert not NOT_GUARDED.keys() - set(exercises())
