"""Journals that cannot be used, disks that fill, and runs that are resumed twice."""

from __future__ import annotations

import os
import re
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from swarm_host.journal import schema
from tests.support.command_line import SWARM_HOST, popen, run, script
from tests.support.waiting import hold, wait_for

STEPS = """
swarm.worker "step" { command = { "sh", "-c", "echo $1 >> ran", "sh", "{input.n}" } }
swarm.main(function()
  for n = 1, 5 do swarm.call("step", { n = n }) end
  if not swarm.fs.exists("mended") then error("broken off") end
  return "done"
end)
"""


@pytest.fixture
def broken_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the journal of a run that has failed, and how it would go on."""
    monkeypatch.chdir(tmp_path)
    script(tmp_path, STEPS)
    assert run("--journal", "j", "script.lua").returncode == 1
    (tmp_path / "mended").touch()
    return tmp_path


def refused(*words: str) -> str:
    """What is said of a command that does not begin."""
    done = run(*words)
    assert (done.returncode, done.stdout) == (2, b"")
    return done.stderr.decode()


def ran(folder: Path) -> list[str]:
    return (folder / "ran").read_text().split()


def test_a_journal_of_a_newer_version_is_refused_and_stays(broken_off: Path) -> None:
    with sqlite3.connect("j") as db:
        db.execute("PRAGMA user_version=99")
    before = Path("j").read_bytes()
    said = refused("resume", "./j")
    assert "j was written by a newer swarm-host (version 99 of its format; this one reads" in said
    assert Path("j").read_bytes() == before


@pytest.mark.parametrize("kept", [0, 100, 5000, 30000])
def test_a_truncated_journal_is_told_of_and_stays(broken_off: Path, kept: int) -> None:
    with sqlite3.connect("j") as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        db.execute(
            "CREATE TABLE more AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 "
            "FROM n WHERE i<500) SELECT i, hex(randomblob(100)) AS t FROM n"
        )
    db.close()
    os.truncate("j", kept)
    before = Path("j").read_bytes()
    said = refused("resume", "./j")
    assert "/j is " in said or "no journal of swarm-host" in said
    assert Path("j").read_bytes() == before


def test_what_is_no_journal_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("text").write_text("no journal\n" * 1000)
    sqlite3.connect("other").execute("CREATE TABLE t(x)").close()
    assert "text is damaged: file is not a database" in refused("resume", "./text")
    assert "other is no journal of swarm-host" in refused("resume", "./other")
    assert "there is no journal ./none" in refused("resume", "./none")


def test_an_id_that_is_none_is_told() -> None:
    assert "there is no journal of a run 0123456789ab" in refused("resume", "0123456789ab")
    assert "'xyz' is no id of a run" in refused("resume", "xyz")
    assert "'' is no id of a run" in refused("resume", "")


def test_a_run_that_goes_on_is_not_resumed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    script(tmp_path, 'swarm.main(function() swarm.exec { "touch", "up" } swarm.sleep(600) end)')
    with popen("--journal", "j", "script.lua"):
        wait_for(tmp_path / "up")
        assert "j goes on: another process has it" in refused("resume", "./j")
        assert "j is there already: a journal is of one run" in refused(
            "--journal", "j", "script.lua"
        )


def test_of_two_that_resume_at_once_one_wins(broken_off: Path) -> None:
    command = [*SWARM_HOST, "resume", "./j"]
    several = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(5)
    ]
    said = [process.communicate(timeout=60) for process in several]
    won = [out for out, _ in said if out]
    assert won
    for out, err in said:
        assert out == b"done\n" or b"another process has it" in err, err
    assert ran(broken_off) == ["1", "2", "3", "4", "5"]


def test_a_script_that_is_gone_goes_on_as_it_was_recorded(broken_off: Path) -> None:
    Path("script.lua").unlink()
    done = run("resume", "./j")
    assert (done.returncode, done.stdout) == (0, b"done\n")
    assert b"script.lua is not there any more since the run began; it goes on as" in done.stderr
    assert ran(broken_off) == ["1", "2", "3", "4", "5"]


def test_a_folder_without_rights_ends_the_run_before_it_does_anything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    script(tmp_path, STEPS)
    Path("file").touch()
    done = run("--journal", "file/j", "script.lua")
    assert done.returncode == 1
    assert re.search(rb"file/j cannot be written: .* Nothing was done; --no-journal", done.stderr)
    assert not Path("ran").exists()


def test_without_a_place_of_its_own_a_run_goes_on_and_says_that_it_has_no_journal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    script(tmp_path, STEPS.replace('"mended"', '"script.lua"'))
    done = run("script.lua")
    assert (done.returncode, done.stdout) == (0, b"done\n")
    assert b"This run cannot be resumed (--no-journal says that this is meant" in done.stderr
    assert run("--no-journal", "script.lua").stderr == b""


@pytest.mark.parametrize("blocks", [40, 60, 100, 200])
def test_a_disk_that_fills_ends_the_run_and_leaves_a_file_that_opens(
    tmp_path: Path, blocks: int
) -> None:
    """A limit of the size of files, in blocks of 1,024 bytes, stands for the disk's end."""
    script(
        tmp_path,
        STEPS.replace("n = 1, 5", "n = 1, 2000").replace(
            "{ n = n }", '{ n = n, more = ("x"):rep(500) }'
        ),
    )

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (blocks * 1024, blocks * 1024))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    command = [*SWARM_HOST, "--journal", "j", "script.lua"]
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, preexec_fn=limited, timeout=120, check=False
    )
    said = done.stderr.decode()
    assert done.returncode == 1, said
    assert "cannot be written: " in said
    assert "Traceback" not in said
    begun = len(ran(tmp_path)) if (tmp_path / "ran").exists() else 0
    shutil.copy(tmp_path / "j", tmp_path / "k")
    with sqlite3.connect(tmp_path / "j") as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        known = db.execute("SELECT count(*) FROM sqlite_master WHERE name='tasks'").fetchone()[0]
        tasks = db.execute("SELECT count(*) FROM tasks").fetchone()[0] if known else 0
    assert begun < tasks or begun == 0, "a program was started that the journal does not know of"


@pytest.mark.skipif(sys.platform != "linux", reason="the clock is set by a library of Linux")
def test_a_clock_that_jumps_changes_nothing(broken_off: Path) -> None:
    with sqlite3.connect("j") as db:
        for table in ("tasks", "ends", "begins", "sessions"):
            column = "began" if table == "sessions" else "at"
            db.execute(f"UPDATE {table} SET {column}={column}+86400*365")  # it was set back since
    hold(lambda: True)
    done = run("resume", "./j")
    assert (done.returncode, done.stdout) == (0, b"done\n")
    assert ran(broken_off) == ["1", "2", "3", "4", "5"]


def test_an_older_journal_is_brought_up_to_date(
    broken_off: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schema, "VERSION", 2)
    monkeypatch.setitem(schema._MIGRATIONS, 1, "ALTER TABLE meta ADD COLUMN more TEXT;")
    with sqlite3.connect("j") as db:
        schema.check(db, "j", migrate=False)
        assert db.execute("PRAGMA user_version").fetchone() == (1,)
        schema.check(db, "j", migrate=True)
        assert db.execute("PRAGMA user_version").fetchone() == (2,)
        assert db.execute("SELECT more FROM meta").fetchone() == (None,)
