"""--reload: what a change does to the run, whatever is broken; --drain and --dry-run."""

from __future__ import annotations

import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.command_line import SWARM_HOST, run
from tests.support.flow import FLOW, saved, write
from tests.support.saving import WAYS
from tests.support.terminal import Terminal


def test_the_next_spawn_after_a_save_is_the_new_one(folder: Path) -> None:
    with Terminal(folder, "--reload", "app.lua") as session:
        session.expect("value 0\t1")
        saved(folder, 1)
        line = r"^reload: generation 2 in \d+ ms: ~ worker count$"
        session.expect_all(line, "value 1\t2")
        (folder / "stop").touch()
        assert session.exit_status() == 0


@pytest.mark.parametrize("way", [way for way in WAYS if way not in ("sed",)])
def test_every_way_to_save_reloads_and_nothing_alarms(folder: Path, way: str) -> None:
    with Terminal(folder, "--reload", "app.lua") as session:
        session.expect("value 0")
        for number in range(1, 4):
            saved(folder, number, way)
            session.expect(rf"value {number}\t")
        (folder / "stop").touch()
        assert session.exit_status() == 0
    assert "failed" not in session.said or way == "in_pieces"
    assert session.said.count("~ worker count") <= 6


@pytest.mark.parametrize(
    ("words", "environment", "terminal", "reloads"),
    [
        ((), {"CI": None}, True, True),
        ((), {"CI": ""}, True, True),
        ((), {"CI": "true"}, True, False),
        ((), {"CI": None}, False, False),
        (("--no-reload",), {"CI": None}, True, False),
        (("--reload",), {"CI": "true"}, False, True),
    ],
)
def test_by_default_a_run_at_a_terminal_reloads(
    folder: Path,
    words: tuple[str, ...],
    environment: dict[str, str | None],
    terminal: bool,
    reloads: bool,
) -> None:
    text = """
    swarm.main(function()
      swarm.log.info "begun"
      repeat swarm.sleep(0.01) until swarm.fs.exists "go"
      -- A reload takes some 10 ms; where it is off nothing can be waited for.
      for _ = 1, 100 do
        if swarm.generation() > 1 then break end
        swarm.sleep(0.01)
      end
      print("generation", swarm.generation())
    end)
    """
    write(folder, app=text)
    options = {"terminal": terminal, "environment": environment}
    with Terminal(folder, *words, "app.lua", **options) as session:  # type: ignore[arg-type]
        session.expect("begun")
        write(folder, app=text.replace('"begun"', '"begun anew"'))
        (folder / "go").touch()
        session.expect(f"generation\t{2 if reloads else 1}")
        assert session.exit_status() == 0


def test_a_short_run_does_not_load_what_watching_takes(folder: Path) -> None:
    write(folder, app="swarm.main(function() end)")
    words = [sys.executable, "-X", "importtime", "-m", "swarm_host", "--reload", "app.lua"]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0
    assert "swarm_host.reload.reloader" in done.stderr
    assert "watchfiles" not in done.stderr


def test_a_change_before_anybody_watches_is_seen(folder: Path) -> None:
    with Terminal(folder, "--reload", "app.lua") as session:
        session.expect("value 0")
        saved(folder, 1)  # within the first 0.1 s
        session.expect("value 1")


# Broken and mended. ------------------------------------------------------------------------------

BROKEN = {
    "syntax": ("x = = 1", "app.lua:13: unexpected symbol near '='"),
    "raises": ("error 'no configuration'", "app.lua:13: no configuration"),
    "definition": ('swarm.worker "x" { run = 1 }', "app.lua:13: "),
    "twice": ('swarm.worker "count" { run = function() end }', "is defined twice"),
    "role": ('swarm.worker "x" { role = "raeder", run = function() end }', "raeder"),
    "module": ("require 'parser'", 'app.lua:13: module "parser" not found'),
    "veto": ("swarm.on_reload(function() error 'not now' end)", "app.lua:13: not now"),
    "waits": ("swarm.sleep(1)", "app.lua:13: "),
}


def test_what_is_broken_in_any_way_is_told_and_the_last_good_one_stays(folder: Path) -> None:
    good = (folder / "app.lua").read_text()
    with Terminal(folder, "--reload", "app.lua") as session:
        session.expect("value 0")
        for number, (name, (line, message)) in enumerate(BROKEN.items(), 1):
            write(folder, app=f"{good}\n{line}\n")
            session.expect(r"^error: reload failed, generation \d+ stays:\n")
            assert message in session.expect(r"^app.lua:\d+: .*$")[0], name
            session.expect(rf"^ +13 \| {re.escape(line)}\n +\| +\^$")
            saved(folder, number)
            good = (folder / "app.lua").read_text().removesuffix(f"\n{line}\n")
            write(folder, app=good)
            mended = r"^reload: generation \d+ in \d+ ms: .*\(mended\)"
            session.expect_all(mended, f"value {number}")
        (folder / "stop").touch()
        assert session.exit_status() == 0


def test_a_loop_without_end_stops_a_swarm_that_runs_for_a_while_only(folder: Path) -> None:
    with Terminal(folder, "--reload", "app.lua") as session:
        session.expect("value 0")
        text = (folder / "app.lua").read_text()
        write(folder, app="local n = 0\nwhile true do n = n + 1 end\n" + text)
        session.expect("^error: reload failed, generation 1 stays:$", seconds=60)
        session.expect("^app.lua:2: the script has loaded for 5 s, and all others wait: is there")
        write(folder, app=text.replace("value 0", "value 1"))
        session.expect("reload: generation 2 .* [(]mended[)]")
        session.expect("value 1")
        (folder / "stop").touch()
        assert session.exit_status() == 0


def test_a_module_that_was_missing_mends_it_when_it_comes(folder: Path) -> None:
    with Terminal(folder, "--reload", "app.lua") as session:
        session.expect("value 0")
        write(folder, app=f"require 'lib.late'\n{FLOW}")
        session.expect(r'module "lib.late" not found')
        write(folder, lua__x="")
        (folder / "lua" / "lib").mkdir()
        WAYS["in_place"](folder / "lua" / "lib" / "late.lua", "return 1")
        session.expect(r"\(mended\)")
        # A place that is looked at earlier.
        write(folder, lib__late="error 'the other one'")
        session.expect("lib/late.lua:1: the other one")
        (folder / "lib" / "late.lua").unlink()
        session.expect(r"\(mended\)")


def test_a_deleted_module_is_told_and_comes_back(folder: Path) -> None:
    write(folder, app=f"require 'part'\n{FLOW}", part="return 1")
    with Terminal(folder, "--reload", "app.lua") as session:
        session.expect("value 0")
        (folder / "part.lua").unlink()
        session.expect(r"generation 1 stays:\napp.lua:1: module \"part\" not found")
        write(folder, part="return 1")
        session.expect(r"\(mended\)")


def test_a_broken_module_is_watched_too(folder: Path) -> None:
    with Terminal(folder, "--reload", "app.lua") as session:
        session.expect("value 0")
        write(folder, part="return = 1")
        write(folder, app=f"require 'part'\n{FLOW}")
        session.expect("part.lua:1: unexpected symbol")
        write(folder, part="return 1")
        session.expect(r"\(mended\)")


def test_what_a_script_reads_while_it_loads_is_watched(folder: Path) -> None:
    data = folder / "data"
    data.mkdir()
    (data / "one.txt").write_text("first")
    reads = """
    local texts = { swarm.fs.read "data/one.txt", #swarm.fs.list "data" }
    swarm.worker(texts[1] .. texts[2]) { run = function() end }
    swarm.watch_file "named.txt"
    """
    write(folder, app=reads + FLOW)
    with Terminal(folder, "--reload", "app.lua") as session:
        session.expect("value 0")
        (data / "one.txt").write_text("second")
        session.expect(r"\+ worker second1, - worker first1")
        (data / "two.txt").write_text("")
        session.expect(r"\+ worker second2, - worker second1")
        (folder / "named.txt").write_text("x")
        session.expect("^reload: nothing changed; generation 3 stays$")


def test_a_file_that_is_named_while_main_runs_is_watched(folder: Path) -> None:
    write(
        folder,
        app="swarm.main(function() swarm.watch_file 'late.txt' print 'named' swarm.sleep(60) end)",
    )
    with Terminal(folder, "--reload", "app.lua") as session:
        session.expect("named")
        deadline = time.monotonic() + 20
        number = 0
        while "reload:" not in session.said and time.monotonic() < deadline:
            number += 1
            (folder / "late.txt").write_text(f"{number}")
            try:
                session.expect("reload:", 0.3)
            except AssertionError:
                continue
        assert "reload:" in session.said


# --drain, --dry-run. -----------------------------------------------------------------------------

OLD = """
swarm.worker "old" {
  run = function(ctx)
    local ok, err = pcall(swarm.sleep, 60)
    swarm.log.info("old ends", { why = err and err.reason or "slept" })
    error(err, 0)
  end,
}
swarm.main(function()
  local old = swarm.spawn "old"
  swarm.log.info("begun 0")
  swarm.join(old)
end)
"""


def test_drain_cancels_workers_of_older_generations(tmp_path: Path) -> None:
    write(tmp_path, app=OLD)
    with Terminal(tmp_path, "--drain", "0.2", "app.lua") as session:
        session.expect("begun 0")
        write(tmp_path, app=OLD.replace("begun 0", "begun 1"))
        session.expect(r"~ main; 1 worker drains \(generation 1\)")
        session.expect('old ends why="generation 1 was replaced 0.2 s ago"')
        assert session.exit_status() == 0


def test_a_generation_that_drains_is_told_when_it_has(folder: Path) -> None:
    text = """
    swarm.worker "old" { run = function() repeat swarm.sleep(0.01) until swarm.fs.exists "go" end }
    """
    write(folder, app=text + FLOW)
    main = FLOW.replace("local before", 'swarm.spawn "old" local before')
    write(folder, app=text + main)
    with Terminal(folder, "--watch", "--on-change=keep", "app.lua") as session:
        session.expect("value 0")
        saved(folder, 1)
        session.expect_all(r"\d workers? drains? \(generation 1\b", "value 1")
        saved(folder, 2)
        session.expect(r"\d workers? drains? \(generation 1\b")
        (folder / "go").touch()
        (folder / "stop").touch()
        session.expect("^reload: generation 1 has drained$")
        session.send(signal.SIGINT)
        assert session.exit_status() == 130


def test_a_dry_run_says_what_would_change_and_changes_nothing(folder: Path) -> None:
    with Terminal(folder, "--dry-run", "app.lua") as session:
        session.expect("value 0\t1")
        saved(folder, 1)
        session.expect(r"^reload: would be generation 2 in \d+ ms: ~ worker count$")
        write(folder, app=FLOW + "x = = 1")
        session.expect("reload failed, generation 1 stays")
        write(folder, app=FLOW)
        session.expect(r"^reload: nothing would change; generation 1 stays \(mended\)$")
        (folder / "stop").touch()
        assert session.exit_status() == 0
    assert session.said.count("value") == 1


def test_a_dry_run_that_watches_does_not_run_main_again(tmp_path: Path) -> None:
    write(tmp_path, app="swarm.main(function() return 'ran 0' end)")
    with Terminal(tmp_path, "--dry-run", "--watch", "app.lua") as session:
        session.expect("waiting")
        for number in (1, 2):
            write(tmp_path, app=f"swarm.main(function() return 'ran {number}' end)")
            session.expect("reload: would be generation 2 .*: ~ main$")
    assert "ran 1" not in session.said


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--on-change=keep",), "--on-change=keep goes with --watch"),
        (("--no-reload", "--watch"), "--watch does not go with --no-reload"),
        (("--no-reload", "--dry-run"), "--dry-run does not go with --no-reload"),
        (("--no-reload", "--drain", "1"), "--drain does not go with --no-reload"),
    ],
)
def test_options_that_do_not_go_together_are_refused(
    folder: Path, words: tuple[str, ...], message: str
) -> None:
    done = run(*words, "app.lua", cwd=folder)
    assert (done.returncode, done.stderr) == (2, f"error: {message}\n".encode())


def test_a_script_that_comes_through_a_pipe_is_read_once(tmp_path: Path) -> None:
    write(tmp_path, app="swarm.main(function() return 'ran' end)")
    words = " ".join(map(shlex.quote, SWARM_HOST))
    command = ["bash", "-c", f"exec {words} --reload <(cat app.lua)"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, b"ran\n")
