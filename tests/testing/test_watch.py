"""``swarm-host test --watch``."""

from __future__ import annotations

import os
import select
import signal
import time
from pathlib import Path
from subprocess import Popen

from tests.support.command_line import popen, script
from tests.support.specs import one_spec, said

# Watching -----------------------------------------------------------------------------------------


class Watched:
    """A run with --watch, read up to a text at a time, each time with a deadline."""

    def __init__(self, process: Popen[bytes]) -> None:
        self._process = process

    def until(self, text: str, seconds: float = 20) -> str:
        assert self._process.stdout is not None
        out = b""
        deadline = time.monotonic() + seconds
        while text.encode() not in out:
            left = deadline - time.monotonic()
            assert left > 0, f"{text!r} did not come:\n{out.decode()}"
            if select.select([self._process.stdout], [], [], left)[0]:
                read = os.read(self._process.stdout.fileno(), 65536)
                assert read, f"it ended before {text!r}:\n{out.decode()}"
                out += read
        return out.decode()


def test_the_order_of_a_race_reads_as_it_went(tmp_path: Path) -> None:
    body = """
    explore(function()
      local n = 0
      local function add() local before = n swarm.yield() n = before + 1 end
      swarm.all { add, add }
      assert.equal(2, n)
    end)
    """
    out = said(tmp_path, body)
    assert "it waited for the workers of swarm.all\n" in out


def test_watch_runs_again_when_a_spec_script_or_module_changes(tmp_path: Path) -> None:
    (tmp_path / "specs").mkdir()
    script(tmp_path, "swarm.main(function() return require 'value' end)", "app.lua")
    script(tmp_path, "return 1", "value.lua")
    text = 'local app = swarm.script "../app.lua"\n' + one_spec("assert.equal(1, app:run())")
    spec = script(tmp_path / "specs", text, "a_spec.lua")
    with popen("test", "--watch", tmp_path / "specs") as process:
        watched = Watched(process)
        assert "1 passed in" in watched.until("Ctrl-C ends\n")
        script(tmp_path, "return 2", "value.lua")  # a module, outside the folder that was named
        out = watched.until("Ctrl-C ends\n")
        assert "value.lua\n" in out
        assert "0 passed, 1 failed" in out
        spec.write_text(text.replace("equal(1", "equal(2"))
        out = watched.until("Ctrl-C ends\n")
        assert "a_spec.lua\n" in out
        assert "1 passed in" in out
        spec.write_text("x x")
        assert "DOES NOT LOAD" in watched.until("Ctrl-C ends\n")
        spec.write_text(one_spec(""))
        assert "1 passed in" in watched.until("Ctrl-C ends\n")
        script(tmp_path / "specs", one_spec(""), "b_spec.lua")  # a new one
        assert "2 passed in" in watched.until("Ctrl-C ends\n")
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) == 130
        assert process.stderr is not None
        assert process.stderr.read() == b""


def test_a_save_runs_the_specs_once(tmp_path: Path) -> None:
    path = script(tmp_path, one_spec(""), "a_spec.lua")
    with popen("test", "--watch", tmp_path, stderr=-2) as process:
        watched = Watched(process)
        out = watched.until("Ctrl-C ends\n")
        for number in range(10):
            # Elsewhere and renamed: a save that is whole at once.
            script(tmp_path, one_spec("") + f"-- {number}", "new").rename(path)
            out += watched.until("Ctrl-C ends\n")
        script(tmp_path, "it('is the last', function() error 'x' end)", "new").rename(path)
        out += watched.until("1 failed")
    assert out.count("changed: ") == 11


def test_watch_runs_what_failed_first(tmp_path: Path) -> None:
    path = script(tmp_path, "it('good', function() end)\nit('bad', function() error('x') end)")
    with popen("test", "--watch", "--json", path, stderr=-2) as process:
        watched = Watched(process)
        assert watched.until("Ctrl-C ends\n").index('"good"') > 0
        path.write_text(path.read_text() + "\n")
        out = watched.until("Ctrl-C ends\n")
        assert out.index('"bad"') < out.index('"good"')
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == 143


def test_watch_finds_a_module_that_was_missing(tmp_path: Path) -> None:
    script(tmp_path, "require 'late'\n" + one_spec(""), "a_spec.lua")
    with popen("test", "--watch", tmp_path, stderr=-2) as process:
        watched = Watched(process)
        assert "DOES NOT LOAD" in watched.until("Ctrl-C ends\n")
        (tmp_path / "unrelated.lua").write_text("x x")  # nobody loads it: no run
        script(tmp_path, "return 1", "late.lua")
        out = watched.until("Ctrl-C ends\n")
        assert "changed: " in out
        assert "unrelated" not in out
        assert "1 passed in" in out


def test_watch_goes_on_after_a_spec_that_holds_lua(tmp_path: Path) -> None:
    path = script(tmp_path, one_spec("while true do end"), "a_spec.lua")
    with popen("test", "--watch", "--timeout", "2", path, stderr=-2) as process:
        watched = Watched(process)
        assert "0 passed, 1 failed" in watched.until("Ctrl-C ends\n")
        path.write_text(one_spec(""))
        assert "1 passed in" in watched.until("Ctrl-C ends\n")
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) == 130


def test_watch_goes_on_where_there_is_nothing_to_run(tmp_path: Path) -> None:
    path = script(tmp_path, "", "a_spec.lua")
    with popen("test", "--watch", path, stderr=-2) as process:
        watched = Watched(process)
        assert "error: no specs found" in watched.until("Ctrl-C ends\n")
        path.write_text(one_spec(""))
        assert "1 passed in" in watched.until("Ctrl-C ends\n")
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) == 130
