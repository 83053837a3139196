"""Libraries that are on this machine run as in plain LuaJIT: trusted all, guarded all but some.

``python -m tests.ecosystem`` prints the whole table; ``LUA_LIBRARIES`` says where libraries are.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.ecosystem.reasons import NOT_GUARDED
from tests.ecosystem.trying import exercises, found, is_there, tried
from tests.support.command_line import run

LIBRARIES = found()
ROOT = Path(__file__).resolve().parents[2]


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


def test_the_page_names_each_library_where_it_runs() -> None:
    def plain(name: str) -> str:
        return re.sub(r"[^a-z0-9]", "", name.lower())

    parts = (ROOT / "spec/sandbox/libraries.md").read_text().split("\n## ")
    named = [{plain(word) for word in re.findall(r"`([^`]+)`", part)} for part in parts[1:4]]
    for name in exercises():
        begins = [any(plain(name).startswith(word) for word in words) for words in named]
        exact = [plain(name) in words for words in named]
        if name in NOT_GUARDED:
            assert exact == [False, True, False], name
        else:
            assert begins[0] or exact[2], name
            assert not exact[1], name


BY_LUASSERT = 'assert, spy = require "luassert", require "luassert.spy"\n'
SPEC = """
it("holds", function()
  assert.are.same({ 1 }, { 1 })
  assert.is_not.falsy(1)
  local s = spy.new(function() end)
  s(1)
  assert.spy(s).was.called_with(1)
end)
it("does not", function() assert.equals(1, 2) end)
"""


@pytest.mark.skipif(not is_there(LIBRARIES, "luassert"), reason="luassert is not installed")
def test_luassert_stands_in_for_assert_where_it_is_brought(tmp_path: Path) -> None:
    (tmp_path / "by_luassert.lua").write_text(BY_LUASSERT)
    (tmp_path / "a_spec.lua").write_text(SPEC)
    places = [word for one in LIBRARIES.lua for word in ("--lua-path", str(one))]
    done = run("test", "--helper", "by_luassert", *places, cwd=tmp_path)
    said = done.stdout.decode()
    assert "1 passed, 1 failed" in said
    assert "Expected objects to be equal." in said
