"""Hang-ups, and ``--watch``: a run that stays."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

import pytest

from tests.support.command_line import SWARM_HOST
from tests.support.flow import FLOW, SLEEPS, saved, write
from tests.support.terminal import Terminal
from tests.support.waiting import wait_for, wait_for_end

# Hang-ups. ---------------------------------------------------------------------------------------


def test_without_a_terminal_a_hangup_reloads(folder: Path) -> None:
    with Terminal(folder, "--reload", "app.lua") as session:
        session.expect("value 0")
        for number in (2, 3):
            session.send(signal.SIGHUP)
            session.expect("^reload: nothing changed; generation 1 stays$")
            assert session.said.count("nothing changed") == number - 1
        (folder / "stop").touch()
        assert session.exit_status() == 0


def test_with_a_terminal_a_hangup_ends_the_run(folder: Path) -> None:
    with Terminal(folder, "--reload", "app.lua", terminal=True) as session:
        session.expect("value 0")
        session.send(signal.SIGHUP)
        assert session.exit_status() == -signal.SIGHUP


def test_a_closed_terminal_ends_what_the_run_has_started(tmp_path: Path) -> None:
    text = """
    swarm.worker "child" {
      kind = "process",
      command = { "sh", "-c", "echo $$ >p; mv p pid; sleep 60" },
    }
    swarm.main(function() swarm.call "child" end)
    """
    write(tmp_path, app=text)
    with Terminal(tmp_path, "app.lua", terminal=True) as session:
        wait_for(tmp_path / "pid")
        session.send(signal.SIGHUP)
        assert session.exit_status() == -signal.SIGHUP
    wait_for_end(int((tmp_path / "pid").read_text()))


def test_a_hangup_ends_a_run_that_does_not_reload(folder: Path) -> None:
    write(folder, app=FLOW + "\nswarm.log.info 'loaded'")
    with Terminal(folder, "app.lua") as session:
        session.expect("loaded")
        session.send(signal.SIGHUP)
        assert session.exit_status() == -signal.SIGHUP


# --watch. ----------------------------------------------------------------------------------------


def test_watch_runs_main_again_on_each_change(tmp_path: Path) -> None:
    write(tmp_path, app='swarm.main(function(args) return "result 0 " .. args[1] end)')
    with Terminal(tmp_path, "--watch", "app.lua", "x") as session:
        for number in range(3):
            if number:
                text = (tmp_path / "app.lua").read_text()
                write(tmp_path, app=text.replace(f"result {number - 1}", f"result {number}"))
                session.expect(rf"^reload: generation {number + 1} in \d+ ms: ~ main; main runs$")
            session.expect(f"^result {number} x$")
            session.expect(r"^main passed in \d\.\d s; waiting for changes \(Ctrl-C ends\)$")
        session.send(signal.SIGINT)
        assert session.exit_status() == 130
    assert session.said.endswith("cancelled by SIGINT\n")


def test_restart_cancels_main_first(tmp_path: Path) -> None:
    text = """
    swarm.main(function()
      swarm.log.info "run 0"
      local ok, err = pcall(swarm.sleep, 60)
      swarm.log.info("cancelled 0", { why = err.reason })
      error(err, 0)
    end)
    """
    write(tmp_path, app=text)
    with Terminal(tmp_path, "--watch", "app.lua") as session:
        session.expect("run 0")
        write(tmp_path, app=text.replace("0", "1"))
        session.expect("reload: generation 2 .*; main restarts")
        session.expect('cancelled 0 why="the script has changed, and main runs again"')
        session.expect("run 1")
        session.send(signal.SIGTERM)
        session.expect("cancelled 1")
        assert session.exit_status() == 143
    assert "error:" not in session.said
    assert "drain" not in session.said


def test_a_new_start_of_main_and_ctrl_c_leave_on_dispose_its_time(tmp_path: Path) -> None:
    text = """
    swarm.on_dispose(function() swarm.sleep(0.1) print "disposed" end)
    swarm.main(function() print "run %d" swarm.sleep(60) end)
    """
    write(tmp_path, app=text % 0)
    with Terminal(tmp_path, "--watch", "app.lua") as session:
        session.expect("run 0")
        write(tmp_path, app=text % 1)
        session.expect("disposed\nrun 1")
        session.send(signal.SIGINT)
        session.expect("disposed")
        assert session.exit_status() == 130
    assert "failed" not in session.said


def test_finish_lets_main_end_first(tmp_path: Path) -> None:
    text = """
    swarm.main(function()
      swarm.log.info "run 0"
      repeat swarm.sleep(0.01) until swarm.fs.exists "go"
      return "end 0"
    end)
    """
    write(tmp_path, app=text)
    with Terminal(tmp_path, "--watch", "--on-change=finish", "app.lua") as session:
        session.expect("run 0")
        for number in (1, 2):  # two changes, one more run
            write(tmp_path, app=text.replace("run 0", f"run {number}").replace("end 0", "end x"))
            session.expect(f"reload: generation {number + 1} .*main$")
        (tmp_path / "go").touch()
        session.expect("end 0")
        session.expect("run 2")
        session.expect("end x")
        session.expect("main passed")
        session.send(signal.SIGINT)
        assert session.exit_status() == 130


def test_keep_changes_definitions_only(folder: Path) -> None:
    with Terminal(folder, "--watch", "--on-change=keep", "app.lua") as session:
        session.expect("value 0")
        saved(folder, 1)
        session.expect("value 1")
        (folder / "stop").touch()
        session.expect(r"main passed in .* waiting for changes of definitions \(Ctrl-C ends\)")
        saved(folder, 2)
        session.expect("reload: generation 3")
        saved(folder, 3)
        session.expect("reload: generation 4")
        session.send(signal.SIGINT)
        assert session.exit_status() == 130
    assert "value 2" not in session.said


def test_watch_waits_for_a_script_that_does_not_load(tmp_path: Path) -> None:
    with Terminal(tmp_path, "--watch", "app.lua") as session:
        session.expect("cannot read script app.lua: no such file or directory")
        session.expect("waiting for a change")
        write(tmp_path, app="x = = 1")
        session.expect("error: load failed, waiting for a change:\napp.lua:1: unexpected")
        write(tmp_path, app="swarm.main(function() return 'ran' end)")
        session.expect(r"^reload: generation 1 in .*\(mended\)")
        session.expect("^ran$")
        session.expect("main passed")
        write(tmp_path, app="swarm.worker 'x' { run = function() end }")
        session.expect("reload: generation 2 .* - main")
        session.expect("app.lua has no main")
        write(tmp_path, app="swarm.main(function() error 'broken' end)")
        session.expect("error: app.lua:1: broken")
        session.expect("main failed in .* waiting")
        write(tmp_path, app="swarm.main(function() return 'again' end)")
        session.expect("^again$")
        session.send(signal.SIGINT)
        assert session.exit_status() == 130


def test_a_failure_of_one_run_is_no_matter_of_the_next(tmp_path: Path) -> None:
    text = """
    swarm.main(function()
      swarm.spawn(function() FAILS end, nil, { detached = true })
    end)
    """
    write(tmp_path, app=text.replace("FAILS", "error 'gone'"))
    with Terminal(tmp_path, "--watch", "app.lua") as session:
        session.expect("main failed")
        write(tmp_path, app=text.replace("FAILS", ""))
        session.expect("main passed")


def test_a_main_that_waits_for_ever_is_no_deadlock_while_a_change_can_run_it_again(
    tmp_path: Path,
) -> None:
    waits = "swarm.main(function() swarm.log.info 'waits' swarm.event():wait() end)"
    write(tmp_path, app=waits)
    with Terminal(tmp_path, "--watch", "app.lua") as session:
        session.expect("waits")
        write(tmp_path, app="swarm.main(function() return 'over' end)")
        session.expect("^over$")
    assert "deadlock" not in session.said
    write(tmp_path, app=waits)
    with Terminal(tmp_path, "--watch", "--on-change=keep", "app.lua") as session:
        session.expect("deadlock")


def test_the_timeout_is_for_each_run_of_main(tmp_path: Path) -> None:
    write(tmp_path, app=SLEEPS)
    with Terminal(tmp_path, "--watch", "--timeout", "2", "app.lua") as session:
        for number in (1, 2):
            session.expect("ran out of time after 2 s")
            session.expect("main ran out of time in [0-9.]+ s; waiting")
            write(tmp_path, app=SLEEPS.replace("run 0", f"run {number}"))
            session.expect("main runs")


def test_ctrl_c_ends_a_watch_at_the_terminal(tmp_path: Path) -> None:
    write(tmp_path, app="swarm.main(function() return 'ran' end)")
    with Terminal(tmp_path, "--watch", "app.lua", terminal=True) as session:
        session.expect("waiting for changes")
        session.send(signal.SIGINT)
        assert session.exit_status() == 130


def maze(folder: Path) -> None:
    """Folders that all lead to each other: no search through them comes to an end."""
    rooms = range(16)
    for room in rooms:
        (folder / f"maze/{room}").mkdir(parents=True)
        for other in rooms:
            (folder / f"maze/{room}/to-{other}").symlink_to(f"../{other}")


@pytest.mark.parametrize("words", [["--reload"], ["--watch", "--on-change=finish"]])
def test_a_loading_that_hangs_holds_up_no_end(tmp_path: Path, words: list[str]) -> None:
    maze(tmp_path)
    text = """
    swarm.on_dispose(function() swarm.sleep(0.01) print "disposed" end)
    swarm.main(function()
      repeat swarm.sleep(0.01) until swarm.fs.exists "stop"
      return "over"
    end)
    """
    write(tmp_path, app=f'swarm.log.info "loads"\n{text}')
    with Terminal(tmp_path, *words, "app.lua") as session:
        session.expect("loads")
        write(tmp_path, app=f'swarm.log.info "hangs"\nswarm.fs.glob "maze/**"\n{text}')
        session.expect("hangs")
        (tmp_path / "stop").touch()
        if "--watch" in words:
            session.expect_all("over", "main passed")
            session.send(signal.SIGINT)
            session.expect("disposed")
        else:
            session.expect_all("over", "disposed")
        assert session.exit_status() == (130 if "--watch" in words else 0)


def test_a_watch_ends_when_nobody_reads_what_it_prints(tmp_path: Path) -> None:
    write(tmp_path, app="swarm.main(function() print(1) swarm.sleep(0.1) print(2) end)")
    words = f"{' '.join(SWARM_HOST)} --watch app.lua | head -n 1"
    done = subprocess.run(words, shell=True, cwd=tmp_path, capture_output=True, timeout=20)
    assert done.stdout == b"1\n"
