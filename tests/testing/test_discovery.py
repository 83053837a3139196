"""Which specs ``swarm-host test`` finds, and which it chooses."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.command_line import script
from tests.support.specs import SUMS, in_folder, one_spec, outcomes, summary

# Finding ------------------------------------------------------------------------------------------


def test_specs_are_found_below_the_working_directory(tmp_path: Path) -> None:
    for name in ("a_spec.lua", "deep/er/b_spec.lua", "c.lua", "spec.lua"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        script(tmp_path, one_spec(""), name)
    for hidden in (".git", "node_modules", "venv", "other"):
        (tmp_path / hidden).mkdir()
        script(tmp_path / hidden, "error('not meant')", "x_spec.lua")
    (tmp_path / "other" / "pyvenv.cfg").touch()
    status, out, _ = in_folder(tmp_path)
    assert status == 0
    assert out.splitlines()[:2] == ["a_spec.lua: 1 passed", "deep/er/b_spec.lua: 1 passed"]


def test_files_and_folders_are_run_once_each(tmp_path: Path) -> None:
    script(tmp_path, SUMS, "a_spec.lua")
    script(tmp_path, one_spec(""), "any_name.lua")
    assert len(outcomes(tmp_path, ".", "a_spec.lua", "./a_spec.lua:6")) == 5
    assert outcomes(tmp_path, "any_name.lua") == {"does it": "passed"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nowhere"], "nowhere: no such file or folder"),
        (["nowhere.lua:3"], "nowhere.lua:3: no such file or folder"),
        (["empty"], "no specs found: there is no file *_spec.lua in empty"),
        ([".:3"], "a line is one of a file"),
        (["none_spec.lua"], "no specs found: none_spec.lua defines none"),
        (["a_spec.lua:4"], "there is no spec at a_spec.lua:4; its specs are at lines 6, 10, 14"),
        (["a_spec.lua:999"], "there is no spec at a_spec.lua:999"),
        (["--filter", "nothing", "a_spec.lua"], 'none of 5 specs has "nothing" in its name'),
        (["--tap", "--json"], "take one"),
        (["--watch", "--list"], "do not go together"),
        (["--timeout", "0"], "Invalid value"),
        (["--seed", "-1"], "Invalid value"),
        (["--seed", "x"], "Invalid value"),
        (["--junit", "empty", "a_spec.lua"], "is a directory"),
        (["--junit", "", "a_spec.lua"], "--junit names no file"),
        ([""], "a path is an empty word"),
        (["--nonsense"], "No such option"),
    ],
)
def test_what_means_nothing_is_a_usage_error(
    tmp_path: Path, words: list[str], message: str
) -> None:
    (tmp_path / "empty").mkdir()
    script(tmp_path, SUMS, "a_spec.lua")
    script(tmp_path, "", "none_spec.lua")
    status, out, err = in_folder(tmp_path, *words)
    assert status == 2
    assert message in err
    assert out == ""


# Choosing -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "count"),
    [
        (["--filter", "ADDS"], 3),
        (["--filter", "#slow"], 1),
        (["--filter", "#slow", "--filter", "alone"], 2),
        (["--filter", "add > of strings > is"], 1),
        (["a_spec.lua:6"], 1),
        (["a_spec.lua:8"], 1),
        (["a_spec.lua:13"], 2),
        (["a_spec.lua:5"], 4),
        (["a_spec.lua:6", "a_spec.lua:21"], 2),
        (["--filter", "adds", "a_spec.lua:13"], 1),
    ],
)
def test_a_filter_and_a_line_choose(tmp_path: Path, words: list[str], count: int) -> None:
    script(tmp_path, SUMS, "a_spec.lua")
    assert len(outcomes(tmp_path, *words)) == count


def test_list_runs_nothing(tmp_path: Path) -> None:
    script(tmp_path, SUMS + one_spec("error('run')"), "a_spec.lua")
    status, out, _ = in_folder(tmp_path, "--list", "--filter", "add")
    assert status == 0
    assert out.splitlines() == [
        "a_spec.lua:6: add > adds",
        "a_spec.lua:10: add > adds #slow numbers",
        "a_spec.lua:14: add > of strings > is not there yet (pending)",
        "a_spec.lua:15: add > of strings > adds numerals",
    ]


def test_fail_fast_runs_nothing_after_the_first_failure(tmp_path: Path) -> None:
    script(tmp_path, SUMS, "a_spec.lua")
    status, out, _ = in_folder(tmp_path, "--fail-fast")
    assert status == 1
    assert summary(out.encode()) == "1 passed, 1 failed, 1 pending, 2 not run"
