"""Suites that test Lua itself do in the host what they do in plain LuaJIT.

``LUA_SUITES`` says where suites are; a made-up one shows that a difference is found.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.ecosystem import differences
from tests.ecosystem.suites import LATE, TIERS, files, ran, suites, unexplained
from tests.ecosystem.suites import differences as found_in

MADE_UP = {
    "same.lua": 'assert(getfenv(0) == _G) io.write("said\\n")',
    "fails.lua": 'error "in each"',
    "other.lua": "assert(rawget(_G, 'swarm') == nil and swarm == nil)",
}
TAP = """
print("ok 1 - one")
print((swarm and "not " or "") .. "ok 2 - two")
print("not ok 3 - three")
print("not ok 4 - four # TODO")
print("ok 5 - one")
print("1..5")
"""
TREE = 'io.write("[1/2] a.lua --- x\\n[2/2] a.lua --- y\\n", swarm and "a.lua:1: no\\n" or "")'


def made_up(folder: Path, texts: dict[str, str]) -> Path:
    for name, text in texts.items():
        (folder / name).write_text(text)
    return folder


@pytest.mark.parametrize("tier", TIERS)
def test_a_file_that_does_otherwise_is_found(tmp_path: Path, tier: str) -> None:
    suite = made_up(tmp_path, MADE_UP)
    assert files(suite) == ["fails.lua", "other.lua", "same.lua"]
    found = {
        file: found_in(ran(suite, file, "plain"), ran(suite, file, tier)) for file in files(suite)
    }
    assert found["same.lua"] == found["fails.lua"] == {}
    assert "assertion failed!" in found["other.lua"][""]
    assert unexplained("other.lua", tier, found["other.lua"]) == found["other.lua"]


def test_a_difference_with_a_reason_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    why = differences.Difference("x.t", "it is meant", "trusted", r"two$", "not ok")
    monkeypatch.setattr(differences, "DIFFERENCES", [why])
    both = {"two": "not ok", "three": "not ok"}
    assert unexplained("x.t", "trusted", both) == {"three": "not ok"}
    assert unexplained("x.t", "guarded", both) == both
    assert unexplained("y.t", "trusted", both) == both


def test_checks_that_a_file_prints_are_told_apart(tmp_path: Path) -> None:
    suite = made_up(tmp_path, {"a.t": TAP})
    plain, trusted = (ran(suite, "a.t", mode) for mode in ("plain", "trusted"))
    assert plain == {"one": "", "two": "", "three": "not ok", "one (2)": "", "": ""}
    assert found_in(plain, trusted) == {"two": "not ok"}


def test_tests_of_a_tree_are_told_apart(tmp_path: Path) -> None:
    suite = made_up(tmp_path, {"test.lua": TREE, "index": ""})
    assert files(suite) == ["test.lua"]
    plain, trusted = (ran(suite, "test.lua", mode) for mode in ("plain", "trusted"))
    assert found_in(plain, trusted) == {"a.lua --- y": "a.lua:1: no"}


def test_what_is_better_than_in_plain_luajit_is_a_difference_too() -> None:
    assert found_in({"a": "not ok", "": ""}, {"a": "", "": ""}) == {
        "a": "passes, and in plain LuaJIT: not ok"
    }


RUNS = [
    pytest.param(suite, file, id=f"{suite.name}-{file}")
    for suite in suites()
    for file in files(suite)
    if file not in differences.PASSED_OVER
]


@pytest.mark.skipif(not RUNS, reason="LUA_SUITES names no folder of a suite that tests Lua")
@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize(("suite", "file"), RUNS)
def test_a_file_of_a_suite_does_what_it_does_in_plain_luajit(
    suite: Path, file: str, tier: str
) -> None:
    plain = ran(suite, file, "plain")
    if plain[""] == LATE:
        pytest.skip(f"{LATE} in plain LuaJIT")
    assert unexplained(file, tier, found_in(plain, ran(suite, file, tier))) == {}
