"""Reloads of a run from the command line: when, how often, and what the screen says."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest

from swarm_host.errors import LoadError
from swarm_host.host import Reloaded
from swarm_host.marks import moment
from swarm_host.reload import Choices, Reloader
from swarm_host.view.reloads import line_of
from swarm_host.view.source import excerpt
from tests.command_line import SWARM_HOST, run
from tests.saving import WAYS
from tests.sessions import Session
from tests.test_testing import wait_for, wait_for_end

# Says what the newest `count` gives whenever that changes, until there is a file `stop`.
FLOW = """
swarm.worker "count" { run = function() return "value 0" end }
swarm.main(function()
  local before
  repeat
    local value = swarm.call "count"
    if value ~= before then print(value, swarm.generation()) io.write("") end
    before = value
    swarm.sleep(0.002)
  until swarm.fs.exists "stop"
end)
"""

SLEEPS = 'swarm.main(function() print("run 0") swarm.sleep(60) end)'


def write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        path = folder / f"{name.replace('__', '/')}.lua"
        path.parent.mkdir(exist_ok=True)
        WAYS["by_rename"](path, text)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path, app=FLOW)
    return tmp_path


def saved(folder: Path, number: int, way: str = "by_rename") -> None:
    text = (folder / "app.lua").read_text()
    start = text.index('"value ')
    end = text.index('"', start + 1) + 1
    WAYS[way](folder / "app.lua", f'{text[:start]}"value {number}"{text[end:]}')


def test_the_next_spawn_after_a_save_is_the_new_one(folder: Path) -> None:
    with Session(folder, "--reload", "app.lua") as session:
        session.expect("value 0\t1")
        saved(folder, 1)
        line = r"^reload: generation 2 in \d+ ms: ~ worker count$"
        session.expect_all(line, "value 1\t2")
        (folder / "stop").touch()
        assert session.exit_status() == 0


@pytest.mark.parametrize("way", [way for way in WAYS if way not in ("sed",)])
def test_every_way_to_save_reloads_and_nothing_alarms(folder: Path, way: str) -> None:
    with Session(folder, "--reload", "app.lua") as session:
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
    with Session(folder, *words, "app.lua", **options) as session:  # type: ignore[arg-type]
        session.expect("begun")
        write(folder, app=text + "\n-- saved")
        (folder / "go").touch()
        session.expect(f"generation\t{2 if reloads else 1}")
        assert session.exit_status() == 0


def test_a_short_run_does_not_load_what_watching_takes(folder: Path) -> None:
    write(folder, app="swarm.main(function() end)")
    words = [sys.executable, "-X", "importtime", "-m", "swarm_host", "--reload", "app.lua"]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0
    assert "swarm_host.reload" in done.stderr
    assert "watchfiles" not in done.stderr


def test_a_change_before_anybody_watches_is_seen(folder: Path) -> None:
    with Session(folder, "--reload", "app.lua") as session:
        session.expect("value 0")
        saved(folder, 1)  # within the first 0.1 s
        session.expect("value 1")


# Bursts. -----------------------------------------------------------------------------------------


def test_a_checkout_costs_at_most_two_loadings(tmp_path: Path) -> None:
    names = [f"m{number}" for number in range(100)]
    requires = "\n".join(f"require 'mods.{name}'" for name in names)
    waits = """
    swarm.main(function()
      swarm.log.info "begun"
      repeat swarm.sleep(0.01) until swarm.fs.exists "stop"
    end)
    """

    def commit(value: int) -> None:
        for name in names:
            write(
                tmp_path,
                **{
                    f"mods__{name}": f"swarm.worker '{name}' {{ run = function() "
                    f"return {value} end }}"
                },
            )
        subprocess.run([*git, "add", "-A"], check=True)
        subprocess.run([*git, "commit", "-qm", "x"], check=True)

    git = ["git", "-C", str(tmp_path), "-c", "user.name=x", "-c", "user.email=x@example.org"]
    subprocess.run([*git, "init", "-q"], check=True)
    write(tmp_path, app=f"{requires}\n{waits}")
    commit(1)
    commit(2)
    with Session(tmp_path, "--reload", "app.lua") as session:
        session.expect("begun")
        time.sleep(0.3)  # it watches; a change before would count for another burst
        subprocess.run([*git, "checkout", "-q", "HEAD~1"], check=True)
        session.expect("reload: generation 2 ")
        (tmp_path / "stop").touch()
        assert session.exit_status() == 0
    assert 1 <= session.said.count("reload: ") <= 2
    assert "failed" not in session.said


class Fake:
    """A host whose loadings are counted."""

    def __init__(self, path: Path, *, seconds: float = 0.0) -> None:
        self.path = path
        self.seconds = seconds
        self.loadings = 0
        self.read: list[str] = []
        self.told: list[str] = []
        self.fails: Callable[[int], bool] = lambda _: False
        self.while_loading: Callable[[int], None] = lambda _: None
        self.loaded = anyio.Event()

    async def reload(self, dry_run: bool = False) -> Reloaded:
        self.loadings += 1
        loading = self.loadings
        self.read.append(self.path.read_text())
        self.while_loading(loading)
        await anyio.sleep(self.seconds)
        self.loaded.set()
        if self.fails(loading):
            raise LoadError({"code": "load_error", "message": f"loading {loading}"})
        return Reloaded(loading + 1, [], [], [], 0, 0.0)

    def watched(self) -> dict[str, list[str]]:
        return {"files": [str(self.path)], "missing": []}

    def on_watches(self, tell: Callable[[], None]) -> None:
        pass

    def generations(self) -> list[dict[str, Any]]:
        return []

    # What is told.

    def reloaded(self, change: Reloaded, draining: list[int], *, mended: bool) -> None:
        self.told.append(f"generation {change.generation}{' mended' if mended else ''}")

    def failed(self, error: dict[str, Any], generation: int) -> None:
        self.told.append(f"{error['message']} failed, {generation} stays")

    def drained(self, generation: int) -> None:
        self.told.append(f"{generation} drained")

    def blind(self, problem: str) -> None:
        self.told.append(problem)

    async def play(self, body: Callable[[], Any]) -> None:
        host: Any = self
        self.path.write_text("0")
        time.sleep(0.02)
        reloader = Reloader(host, str(self.path), moment(), self, Choices())
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(reloader.run)
            await anyio.sleep(0.3)
            with anyio.fail_after(20):
                await body()
            tasks.cancel_scope.cancel()

    async def until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            await anyio.sleep(0.005)


def test_a_burst_costs_two_loadings_and_its_end_is_loaded(tmp_path: Path) -> None:
    fake = Fake(tmp_path / "a.lua")

    async def body() -> None:
        for number in range(1, 40):
            fake.path.write_text(f"{number}")
            await anyio.sleep(0.01)
        await fake.until(lambda: fake.read[-1:] == ["39"])
        await anyio.sleep(0.2)

    anyio.run(fake.play, body)
    assert fake.loadings == 2


def test_a_change_during_a_loading_is_loaded(tmp_path: Path) -> None:
    fake = Fake(tmp_path / "a.lua", seconds=0.05)

    def while_loading(loading: int) -> None:
        if loading < 5:
            fake.path.write_text(f"during {loading}")

    fake.while_loading = while_loading

    async def body() -> None:
        fake.path.write_text("first")
        await fake.until(lambda: fake.read[-1:] == ["during 4"])

    anyio.run(fake.play, body)
    assert fake.read == ["first", "during 1", "during 2", "during 3", "during 4"]


def test_a_file_that_is_changed_and_restored_while_it_loads_is_loaded_again(
    tmp_path: Path,
) -> None:
    fake = Fake(tmp_path / "a.lua", seconds=0.05)

    def while_loading(loading: int) -> None:
        if loading == 1:
            time.sleep(0.02)  # a few ticks of the file system's clock
            fake.path.write_text("read by another, and gone again")
            fake.path.write_text("first")

    fake.while_loading = while_loading

    async def body() -> None:
        fake.path.write_text("first")
        await fake.until(lambda: fake.loadings == 2)

    anyio.run(fake.play, body)


def test_a_stream_of_changes_without_end_is_loaded_now_and_then(tmp_path: Path) -> None:
    fake = Fake(tmp_path / "a.lua")

    async def body() -> None:
        stop = time.monotonic() + 3.3
        number = 0
        while time.monotonic() < stop:
            number += 1
            fake.path.write_text(f"{number}")
            await anyio.sleep(0.01)

    anyio.run(fake.play, body)
    assert 3 <= fake.loadings <= 6


def test_a_failure_that_the_next_change_mends_is_not_told(tmp_path: Path) -> None:
    fake = Fake(tmp_path / "a.lua", seconds=0.01)
    fake.fails = lambda loading: loading == 1

    def while_loading(loading: int) -> None:
        if loading == 1:
            fake.path.write_text("whole")

    fake.while_loading = while_loading

    async def body() -> None:
        fake.path.write_text("half")
        await fake.until(lambda: fake.loadings == 2 and bool(fake.told))

    anyio.run(fake.play, body)
    assert fake.told == ["generation 3"]


def test_a_failure_is_told_and_the_next_good_loading_clears_it(tmp_path: Path) -> None:
    fake = Fake(tmp_path / "a.lua")
    fake.fails = lambda loading: loading in (2, 3)

    async def body() -> None:
        for number in range(1, 6):
            fake.path.write_text(f"{number}")
            while len(fake.told) < number:
                await anyio.sleep(0.005)
            await anyio.sleep(0.1)

    anyio.run(fake.play, body)
    assert fake.told == [
        "generation 2",
        "loading 2 failed, 2 stays",
        "loading 3 failed, 2 stays",
        "generation 5 mended",
        "generation 6",
    ]


def test_failures_without_end_are_told(tmp_path: Path) -> None:
    fake = Fake(tmp_path / "a.lua")
    fake.fails = lambda _: True

    async def body() -> None:
        number = 0
        while not fake.told:
            number += 1
            fake.path.write_text(f"{number}")
            await anyio.sleep(0.01)

    anyio.run(fake.play, body)


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
    with Session(folder, "--reload", "app.lua") as session:
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


def test_a_module_that_was_missing_mends_it_when_it_comes(folder: Path) -> None:
    with Session(folder, "--reload", "app.lua") as session:
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
    with Session(folder, "--reload", "app.lua") as session:
        session.expect("value 0")
        (folder / "part.lua").unlink()
        session.expect(r"generation 1 stays:\napp.lua:1: module \"part\" not found")
        write(folder, part="return 1")
        session.expect(r"\(mended\)")


def test_a_broken_module_is_watched_too(folder: Path) -> None:
    with Session(folder, "--reload", "app.lua") as session:
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
    with Session(folder, "--reload", "app.lua") as session:
        session.expect("value 0")
        (data / "one.txt").write_text("second")
        session.expect(r"\+ worker second1, - worker first1")
        (data / "two.txt").write_text("")
        session.expect(r"\+ worker second2, - worker second1")
        (folder / "named.txt").write_text("x")
        session.expect("no definition changed")


def test_a_file_that_is_named_while_main_runs_is_watched(folder: Path) -> None:
    write(
        folder,
        app="swarm.main(function() swarm.watch_file 'late.txt' print 'named' swarm.sleep(60) end)",
    )
    with Session(folder, "--reload", "app.lua") as session:
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


# Hang-ups. ---------------------------------------------------------------------------------------


def test_without_a_terminal_a_hangup_reloads(folder: Path) -> None:
    with Session(folder, "--reload", "app.lua") as session:
        session.expect("value 0")
        for number in (2, 3):
            session.send(signal.SIGHUP)
            session.expect(f"reload: generation {number} in .* no definition changed")
        (folder / "stop").touch()
        assert session.exit_status() == 0


def test_with_a_terminal_a_hangup_ends_the_run(folder: Path) -> None:
    with Session(folder, "--reload", "app.lua", terminal=True) as session:
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
    with Session(tmp_path, "app.lua", terminal=True) as session:
        wait_for(tmp_path / "pid")
        session.send(signal.SIGHUP)
        assert session.exit_status() == -signal.SIGHUP
    wait_for_end(int((tmp_path / "pid").read_text()))


def test_a_hangup_ends_a_run_that_does_not_reload(folder: Path) -> None:
    write(folder, app=FLOW + "\nswarm.log.info 'loaded'")
    with Session(folder, "app.lua") as session:
        session.expect("loaded")
        session.send(signal.SIGHUP)
        assert session.exit_status() == -signal.SIGHUP


# --watch. ----------------------------------------------------------------------------------------


def test_watch_runs_main_again_on_each_change(tmp_path: Path) -> None:
    write(tmp_path, app='swarm.main(function(args) return "result 0 " .. args[1] end)')
    with Session(tmp_path, "--watch", "app.lua", "x") as session:
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
    with Session(tmp_path, "--watch", "app.lua") as session:
        session.expect("run 0")
        write(tmp_path, app=text.replace("0", "1"))
        session.expect("reload: generation 2 .*; main restarts")
        session.expect("cancelled 0 why='the script has changed, and main runs again'")
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
    with Session(tmp_path, "--watch", "app.lua") as session:
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
    with Session(tmp_path, "--watch", "--on-change=finish", "app.lua") as session:
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
    with Session(folder, "--watch", "--on-change=keep", "app.lua") as session:
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
    with Session(tmp_path, "--watch", "app.lua") as session:
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
    with Session(tmp_path, "--watch", "app.lua") as session:
        session.expect("main failed")
        write(tmp_path, app=text.replace("FAILS", ""))
        session.expect("main passed")


def test_a_main_that_waits_for_ever_is_no_deadlock_while_a_change_can_run_it_again(
    tmp_path: Path,
) -> None:
    waits = "swarm.main(function() swarm.log.info 'waits' swarm.event():wait() end)"
    write(tmp_path, app=waits)
    with Session(tmp_path, "--watch", "app.lua") as session:
        session.expect("waits")
        write(tmp_path, app="swarm.main(function() return 'over' end)")
        session.expect("^over$")
    assert "deadlock" not in session.said
    write(tmp_path, app=waits)
    with Session(tmp_path, "--watch", "--on-change=keep", "app.lua") as session:
        session.expect("deadlock")


def test_the_timeout_is_for_each_run_of_main(tmp_path: Path) -> None:
    write(tmp_path, app=SLEEPS)
    with Session(tmp_path, "--watch", "--timeout", "0.3", "app.lua") as session:
        for number in (1, 2):
            session.expect("ran out of time after 0.3 s")
            session.expect("main ran out of time in 0.[3-9] s; waiting")
            write(tmp_path, app=SLEEPS.replace("run 0", f"run {number}"))
            session.expect("main runs")


def test_ctrl_c_ends_a_watch_at_the_terminal(tmp_path: Path) -> None:
    write(tmp_path, app="swarm.main(function() return 'ran' end)")
    with Session(tmp_path, "--watch", "app.lua", terminal=True) as session:
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
    with Session(tmp_path, *words, "app.lua") as session:
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
    with Session(tmp_path, "--drain", "0.2", "app.lua") as session:
        session.expect("begun 0")
        write(tmp_path, app=OLD.replace("begun 0", "begun 1"))
        session.expect(r"~ main; 1 worker drains \(generation 1\)")
        session.expect("old ends why='generation 1 was replaced 0.2 s ago'")
        assert session.exit_status() == 0


def test_a_generation_that_drains_is_told_when_it_has(folder: Path) -> None:
    text = """
    swarm.worker "old" { run = function() repeat swarm.sleep(0.01) until swarm.fs.exists "go" end }
    """
    write(folder, app=text + FLOW)
    main = FLOW.replace("local before", 'swarm.spawn "old" local before')
    write(folder, app=text + main)
    with Session(folder, "--watch", "--on-change=keep", "app.lua") as session:
        session.expect("value 0")
        saved(folder, 1)
        session.expect(r"\d workers? drains? \(generation 1\b")
        session.expect("value 1")
        saved(folder, 2)
        session.expect(r"\d workers? drains? \(generation 1\b")
        (folder / "go").touch()
        (folder / "stop").touch()
        session.expect("^reload: generation 1 has drained$")
        session.send(signal.SIGINT)
        assert session.exit_status() == 130


def test_a_dry_run_says_what_would_change_and_changes_nothing(folder: Path) -> None:
    with Session(folder, "--dry-run", "app.lua") as session:
        session.expect("value 0\t1")
        saved(folder, 1)
        session.expect(r"^reload: would be generation 2 in \d+ ms: ~ worker count$")
        write(folder, app=FLOW + "x = = 1")
        session.expect("reload failed, generation 1 stays")
        write(folder, app=FLOW)
        session.expect(r"would be generation 2 in \d+ ms: no definition changed \(mended\)")
        (folder / "stop").touch()
        assert session.exit_status() == 0
    assert session.said.count("value") == 1


def test_a_dry_run_that_watches_does_not_run_main_again(tmp_path: Path) -> None:
    write(tmp_path, app="swarm.main(function() return 'ran 0' end)")
    with Session(tmp_path, "--dry-run", "--watch", "app.lua") as session:
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
    os.mkfifo(tmp_path / "app.lua")
    with Session(tmp_path, "--reload", "app.lua") as session:
        (tmp_path / "app.lua").write_text("swarm.main(function() return 'ran' end)")
        session.expect("ran")
        assert session.exit_status() == 0


# Lines. ------------------------------------------------------------------------------------------


def test_a_line_names_what_changed_and_counts_the_rest() -> None:
    change = Reloaded(2, ["worker lint"], ["worker old"], ["worker count"], 3, 0.0124)
    assert line_of(change, [1]) == (
        "reload: generation 2 in 12 ms: + worker lint, - worker old, ~ worker count; "
        "3 workers drain (generation 1)"
    )
    many = Reloaded(4, [f"worker {n}" for n in range(40)], [], [], 1, 0.5)
    assert line_of(many, [2, 3]).endswith(
        "+ worker 11, and 28 more; 1 worker drains (generations 2, 3)"
    )
    nothing = Reloaded(2, [], [], [], 0, 0.008)
    assert line_of(nothing) == "reload: generation 2 in 8 ms: no definition changed"
    first = Reloaded(1, [], [], [], 0, 0.008)
    assert line_of(first, main="main runs", mended=True) == (
        "reload: generation 1 in 8 ms: loaded; main runs (mended)"
    )


CARETS = [
    ("local half = #args // 2", "unexpected symbol near '/'", "local"),
    ("local x = y + zz", "attempt to perform arithmetic on global 'zz' (a nil value)", "zz"),
    ("  return x.name.first", "attempt to index field 'name' (a nil value)", "name"),
    ('swarm.worker "a" { timout = 5 }', 'worker "a" has no field "timout"', "timout"),
    ("    error('x')", "x", "error"),
    ("\tfoo()", "attempt to call global 'foo' (a nil value)", "foo"),
    ("swarm.main(function(", "'<name>' expected near '<eof>'", ""),
]


@pytest.mark.parametrize(("line", "message", "at"), CARETS)
def test_a_caret_stands_under_what_the_message_speaks_of(
    tmp_path: Path, line: str, message: str, at: str
) -> None:
    path = tmp_path / "x.lua"
    path.write_text(f"first\n{line}\nlast")
    source, caret = excerpt(f"{path}:2", message)
    assert source.startswith("  2 | ")
    column = caret.index("^")
    assert caret[:column].replace("|", " ").strip() == ""
    if at:
        assert source[column:].startswith(at)
    else:
        assert column == len(source)


def test_no_excerpt_where_there_is_no_such_line(tmp_path: Path) -> None:
    path = tmp_path / "x.lua"
    path.write_bytes(b"\xff\xfe\x00\n\n" + b"x" * 5000)
    assert excerpt("nowhere.lua:1", "x") == []
    assert excerpt(f"{path}:99", "x") == []
    assert excerpt(f"{path}:2", "x") == []
    assert excerpt("", "x") == []
    assert excerpt(str(tmp_path), "x") == []
    assert all(len(line) < 120 for line in excerpt(f"{path}:3", "x"))
    assert "\ufffd" in excerpt(f"{path}:1", "x")[0]
