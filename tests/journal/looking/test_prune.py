"""``swarm-host prune`` of journals, and the bounds that are kept without it."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

import pytest

from swarm_host.journal.pruning import MOST_BYTES, MOST_SECONDS
from tests.journal.looking.journals import Journals

PASSES = 'swarm.main(function() swarm.fs.write("out", "") return 1 end)'
LARGE = """
swarm.worker "gives" { run = function() return ("y"):rep(100000) end }
swarm.main(function() swarm.call "gives" swarm.fs.write("out", "") end)
"""
GOES_ON = "swarm.main(function() swarm.sleep(1e6) end)"


def age(journal: Path, seconds: float) -> None:
    """Makes a journal as old as this."""
    then = time.time() - seconds
    os.utime(journal, (then, then))


def test_it_lists_and_removes_nothing(journals: Journals) -> None:
    name = journals.ran(LARGE)
    before = set(journals.place.iterdir())
    [line] = journals.lines("prune")
    path = re.escape(str(journals.path(name)))
    assert re.fullmatch(rf"{path}: run {name} of script\.lua, pass, -, 1[45]\d\.\dkB", line), line
    assert set(journals.place.iterdir()) == before


def test_yes_removes_all_that_belongs_to_ended_runs(journals: Journals) -> None:
    name = journals.ran(LARGE)
    assert Path(f"{journals.path(name)}.files").is_dir()
    [line] = journals.lines("prune", "--yes")
    assert line.endswith(", removed")
    assert list(journals.place.iterdir()) == []
    assert journals.said("prune") == journals.said("runs") == ""


def test_json_has_all_of_it(journals: Journals) -> None:
    name = journals.ran(PASSES)
    [one] = journals.objects("prune", "--yes")
    assert one.pop("bytes") > 4096
    assert 0 <= time.time() - one.pop("written") < 60
    assert one == {
        "path": str(journals.path(name)),
        "run_id": name,
        "script": "script.lua",
        "status": "pass",
        "tasks": 1,
        "removed": True,
    }


def test_a_run_that_goes_on_never_goes(journals: Journals) -> None:
    with journals.running(GOES_ON) as process:
        assert journals.said("prune", "--yes") == ""
        [name] = journals.ids()
        process.kill()
        process.wait()
        [one] = journals.objects("prune")
        assert (one["run_id"], one["status"], one["removed"]) == (name, "interrupted", False)
        [one] = journals.objects("prune", "--yes")
        assert one["removed"]
    assert list(journals.place.iterdir()) == []


def test_only_older_ones_go_where_that_is_asked_for(journals: Journals) -> None:
    old, new = journals.ran(PASSES), journals.ran(PASSES)
    age(journals.path(old), 2.5 * 86400)
    assert journals.said("prune", "--older-than", "3d") == ""
    assert [one["run_id"] for one in journals.objects("prune", "--older-than", "60h")] == [old]
    assert [one["run_id"] for one in journals.objects("prune")] == [old, new]
    journals.said("prune", "--yes", "--older-than", "2d")
    assert journals.ids() == [new]
    assert "30days is no age: write 30d" in journals.said(
        "prune", "--older-than", "30days", status=2
    )


def test_what_cannot_be_read_is_told_of_and_stays(journals: Journals) -> None:
    name = journals.ran(PASSES)
    path = journals.path(name)
    path.write_text("this is a text, and no journal of anybody's")
    said = journals.said("prune", "--yes")
    assert said.startswith(f"{path}: is left as it is: {path} is damaged: ")
    assert path.read_text().startswith("this is a text")
    age(path, 2 * MOST_SECONDS)
    new = journals.ran(PASSES)
    assert set(journals.ids()) == {name, new}


# The bounds. -------------------------------------------------------------------------------------


def test_a_run_removes_the_journals_that_are_too_old(journals: Journals) -> None:
    old, newer = journals.ran(LARGE), journals.ran(PASSES)
    age(journals.path(old), MOST_SECONDS + 60)
    for file in Path(f"{journals.path(old)}.files").iterdir():
        age(file, MOST_SECONDS + 60)
    age(journals.path(newer), MOST_SECONDS - 600)
    new = journals.ran(PASSES)
    assert set(journals.ids()) == {newer, new}
    assert not [path for path in journals.place.iterdir() if path.name.startswith(old)]


def test_a_run_removes_the_oldest_while_all_together_are_too_large(journals: Journals) -> None:
    first, second, third = (journals.ran(LARGE) for _ in range(3))
    for number, name in enumerate((first, second, third)):
        [file] = Path(f"{journals.path(name)}.files").iterdir()
        os.truncate(file, MOST_BYTES * 2 // 5)  # of which nothing is on the disk
        for path in (file, journals.path(name)):
            age(path, 1000 - number)
    new = journals.ran(PASSES)
    assert set(journals.ids()) == {second, third, new}


def test_the_bounds_take_no_run_that_goes_on(journals: Journals) -> None:
    with journals.running(GOES_ON) as process:
        [name] = journals.ids()
        for path in journals.place.iterdir():
            age(path, 2 * MOST_SECONDS)
        journals.ran(PASSES)
        assert name in journals.ids()
        process.kill()
        process.wait()
    for path in journals.place.iterdir():
        age(path, 2 * MOST_SECONDS)
    journals.ran(PASSES)
    assert name not in journals.ids()


def test_a_journal_elsewhere_takes_none(journals: Journals) -> None:
    old = journals.ran(PASSES)
    age(journals.path(old), 2 * MOST_SECONDS)
    journals.said("--journal", "own.journal", "script.lua")
    assert journals.ids() == [old]


def test_what_was_not_removed_to_its_end_is_removed_by_the_next_run(journals: Journals) -> None:
    old = journals.ran(LARGE)
    journals.path(old).rename(journals.path(old).with_suffix(".removed"))
    assert journals.said("runs") == ""
    journals.ran(PASSES)
    assert not [path for path in journals.place.iterdir() if path.name.startswith(old)]


@pytest.mark.parametrize("command", ["prune", "runs"])
def test_a_folder_that_cannot_be_listed_is_told_of(journals: Journals, command: str) -> None:
    journals.place.parent.mkdir(parents=True)
    journals.place.touch()
    assert "cannot be listed: not a directory" in journals.error(command)
