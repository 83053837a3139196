"""``swarm-host runs``: which runs there were, and what is told of journals that cannot be read."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from tests.journal.looking.journals import Journals

PASSES = 'swarm.main(function() swarm.fs.write("out", "") return 1 end)'
FAILS = """
swarm.worker "part" { run = function() swarm.fs.write("out", "") end }
swarm.main(function()
  swarm.call "part"
  error("no luck", 0)
end)
"""
GOES_ON = """
swarm.worker "part" { run = function() swarm.sleep(1e6) end }
swarm.main(function() swarm.call "part" end)
"""


def test_where_nobody_has_run_anything_there_is_nothing_to_say(journals: Journals) -> None:
    assert journals.said("runs") == ""


def test_runs_are_listed_in_the_order_in_which_they_began(journals: Journals) -> None:
    first = journals.ran(PASSES, name="a.lua")
    second = journals.ran(FAILS, name="b.lua", status=1)
    assert journals.lines("runs") == [
        f"{first}  a.lua  -  -  pass  1 task",
        f"{second}  b.lua  -  -  failed  2 tasks: 1 failed",
    ]
    journals.said("resume", first)
    assert [one["run_id"] for one in journals.objects("runs")] == [first, second]
    assert journals.objects("show", "last")[0]["status"] == "failed"


def test_json_has_all_of_it(journals: Journals) -> None:
    name = journals.ran(FAILS, status=1)
    [one] = journals.objects("runs")
    assert one["began"] < one["ended"]
    assert one["seconds"] == pytest.approx(one["ended"] - one["began"], abs=0.001)
    del one["began"], one["ended"], one["seconds"]
    assert one == {
        "run_id": name,
        "script": "script.lua",
        "cwd": str(journals.folder),
        "status": "failed",
        "tasks": 2,
        "counts": {"failed": 1, "pass": 1},
        "journal": str(journals.path(name)),
    }


def test_a_run_that_goes_on_is_running_and_a_killed_one_interrupted(journals: Journals) -> None:
    with journals.running(GOES_ON) as process:
        journals.until(lambda: journals.objects("runs")[0].get("counts") == {"running": 2})
        [one] = journals.objects("runs")
        assert (one["status"], one["ended"]) == ("running", None)
        process.kill()
        process.wait()
        [one] = journals.objects("runs")
        assert (one["status"], one["counts"]) == ("interrupted", {"interrupted": 2})
        assert one["began"] <= one["ended"] < one["began"] + 60
        [name] = journals.ids()
        assert "-  -  interrupted  2 tasks: 2 interrupted" in journals.lines("runs")[0]
        assert journals.lines("show", name)[1:] == [
            "T-1 main  interrupted",
            "  T-2 part  interrupted",
        ]


def test_who_looks_leaves_nothing_behind(journals: Journals) -> None:
    name = journals.ran(PASSES)
    before = {path.name: path.read_bytes() for path in journals.place.iterdir()}
    for words in (("runs",), ("show", name), ("show", name, "T-1"), ("show", name, "--json")):
        journals.said(*words)
    assert {path.name: path.read_bytes() for path in journals.place.iterdir()} == before


def _truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _of_a_newer_version(path: Path) -> None:
    with sqlite3.connect(path) as journal:
        journal.execute("PRAGMA user_version=99")
    journal.close()


def _of_an_older_version(path: Path) -> None:
    with sqlite3.connect(path) as journal:
        journal.execute("PRAGMA user_version=0")
    journal.close()


def _of_another_program(path: Path) -> None:
    path.unlink()
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE t(x)")
    other.close()


def _no_database(path: Path) -> None:
    path.write_text("this is a text, and a long one: " * 100)


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


BROKEN = {
    _truncated: "is damaged: database disk image is malformed. It was left as it is",
    _of_a_newer_version: "was written by a newer swarm-host (version 99 of its format; this one "
    "reads up to 1): use that one",
    _of_an_older_version: "was written by an older swarm-host: use that one, or go on with the "
    "run, which brings the journal up to date (swarm-host resume)",
    _of_another_program: "is no journal of swarm-host",
    _no_database: "is damaged: file is not a database. It was left as it is",
    _empty: "is empty: its run was killed as it began; remove it",
    _a_folder: "cannot be read: is a directory",
}


@pytest.mark.parametrize("break_it", BROKEN, ids=lambda one: one.__name__.strip("_"))
def test_a_journal_that_cannot_be_read_is_told_of_and_left(
    journals: Journals, break_it: object
) -> None:
    assert callable(break_it)
    bad = journals.ran(PASSES)
    good = journals.ran(PASSES)
    path, why = journals.path(bad), BROKEN[break_it]
    break_it(path)
    before = path.is_dir() or path.read_bytes()
    assert journals.lines("runs") == [
        f"{bad}  {path} {why}",
        f"{good}  script.lua  -  -  pass  1 task",
    ]
    problem = {"run_id": bad, "journal": str(path), "problem": f"{path} {why}"}
    assert journals.objects("runs")[0] == problem
    for words in (("show", bad), ("show", bad, "T-1"), ("show", bad, "--json")):
        assert journals.error(*words) == f"{path} {why}"
    assert (path.is_dir() or path.read_bytes()) == before


def test_a_killed_run_in_a_folder_that_cannot_be_written_to(journals: Journals) -> None:
    with journals.running(GOES_ON) as process:
        journals.until(lambda: journals.objects("runs")[0].get("counts") == {"running": 2})
        process.kill()
        process.wait()
    [name] = journals.ids()
    beside = Path(f"{journals.path(name)}-shm")
    beside.unlink()
    beside.symlink_to(beside)  # as little as in such a folder can SQLite make its file there
    assert journals.error("show", name) == (
        f"{journals.path(name)} cannot be read: unable to open database file. Where its folder "
        "cannot be written to, copy the journal with all that is beside it"
    )


def test_a_folder_that_cannot_be_listed_is_told_of(journals: Journals) -> None:
    journals.place.parent.mkdir(parents=True)
    journals.place.touch()
    said = journals.error("runs")
    assert said == (
        f"the journals in {journals.place} cannot be listed: not a directory. See whose that "
        "folder is, or set XDG_STATE_HOME to another"
    )
    assert journals.error("show", "last") == said


def test_a_run_that_there_is_not(journals: Journals) -> None:
    assert journals.error("show", "last") == "no run has left a journal yet"
    name = journals.ran(PASSES)
    assert journals.error("show", "x/y.journal") == "there is no journal x/y.journal"
    assert "is no id of a run" in journals.error("show", "none")
    assert "`swarm-host runs` lists" in journals.error("show", "0" * 13)
    other = name[:4] + ("1" if name[4] == "0" else "0") * 8
    journals.path(other).write_bytes(journals.path(name).read_bytes())
    assert "give more of it" in journals.error("show", name[:4])
    assert journals.said("show", name[:5])
    assert journals.said("show", journals.path(other))
