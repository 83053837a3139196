"""``swarm-host serve``: workers that are kept up, and take work from outside."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path

import pytest

from tests.serving.running import SECONDS, Listening, listening
from tests.support.command_line import run, script
from tests.support.terminal import Terminal

WORKERS = """
swarm.worker "double" { run = function(_, n) return 2 * n end }
swarm.worker "slow" { run = function() swarm.sleep(600) end }
"""


def result(run: Listening, *words: str) -> str:
    """What a worker that is spawned from outside comes to."""
    return run.say("join", "last", run.say("spawn", "last", *words).strip()).strip()


def test_it_takes_work_without_a_main(tmp_path: Path) -> None:
    with listening(tmp_path, WORKERS, "serve") as run:
        assert result(run, "double", "21") == "42"
        slow = run.say("spawn", "last", "slow").strip()
        assert f"{slow} slow  running" in run.say("ps", "last")
        run.process.send_signal(signal.SIGINT)
        _, said = run.process.communicate(timeout=SECONDS)
        assert run.process.returncode == 130
        assert f'cancelling worker "slow" ({slow})' in said.decode()


def test_main_runs_once_and_its_end_is_not_the_run_s(tmp_path: Path) -> None:
    main = WORKERS + 'swarm.main(function() print "here" error("no", 0) end)'
    with listening(tmp_path, main, "serve") as run:
        assert result(run, "double", "21") == "42"
        run.process.send_signal(signal.SIGTERM)
        out, said = run.process.communicate(timeout=SECONDS)
        assert run.process.returncode == 143
        assert out == b"here\n"
        assert b"main failed; the run serves on" in said


def test_main_s_end_ends_nothing_that_others_have_brought(tmp_path: Path) -> None:
    main = """
    swarm.worker "waits" { run = function(_, go)
      repeat swarm.sleep(0.01) until swarm.fs.exists(go)
      return "went on"
    end }
    swarm.main(function(_, ctx)
      repeat swarm.sleep(0.01) until swarm.fs.exists(ctx.input)
      error("no", 0)
    end)
    """
    end, go = tmp_path / "end", tmp_path / "go"
    with listening(tmp_path, main, "serve", "--input", f'"{end}"') as run:
        task = run.say("spawn", "last", "waits", str(go)).strip()
        end.touch()
        said = run.heard("main failed; the run serves on")
        go.touch()
        assert run.say("join", "last", task) == "went on\n"
        assert "waiting for" not in said


def test_new_work_gets_new_definitions(tmp_path: Path) -> None:
    with listening(tmp_path, WORKERS, "serve") as run:
        assert result(run, "double", "21") == "42"
        script = tmp_path / "run.lua"
        changed = script.read_text().replace("2 * n", "3 * n")
        new = tmp_path / "new"
        new.write_text(changed)
        os.replace(new, script)  # noqa: PTH105
        while result(run, "double", "21") != "63":
            assert run.process.poll() is None


def test_without_reload_new_work_gets_the_old_ones(tmp_path: Path) -> None:
    with listening(tmp_path, WORKERS, "serve", "--no-reload") as run:
        script = tmp_path / "run.lua"
        script.write_text("this does not load")
        assert result(run, "double", "21") == "42"
        run.process.send_signal(signal.SIGINT)
        _, said = run.process.communicate(timeout=SECONDS)
        assert b"reload" not in said


def test_a_script_may_come_through_a_pipe(tmp_path: Path) -> None:
    with listening(tmp_path, WORKERS, "serve", piped=True) as run:
        assert result(run, "double", "21") == "42"


@pytest.mark.parametrize("word", ["--watch", "--on-change=keep"])
def test_what_runs_main_again_is_not_offered(tmp_path: Path, word: str) -> None:
    done = run("serve", word, script(tmp_path, WORKERS))
    assert done.returncode == 2
    assert f"error: No such option '{word.partition('=')[0]}'" in done.stderr.decode()
    assert b"--watch" not in run("serve", "--help").stdout


def test_a_script_that_does_not_load_ends_it(tmp_path: Path) -> None:
    bad = script(tmp_path, "swarm.worker(", "bad.lua")
    for path in (bad, tmp_path / "none.lua"):
        done = run("serve", path)
        assert done.returncode == 2, done


def test_a_task_of_a_person_s_that_fails_is_told(tmp_path: Path) -> None:
    failing = WORKERS + 'swarm.worker "fails" { run = function() error("no luck", 0) end }'
    with listening(tmp_path, failing, "serve") as run_:
        name = run_.path.stem
        run_.say("spawn", "last", "fails")
        assert result(run_, "double", "21") == "42"
        run_.process.send_signal(signal.SIGINT)
        _, said = run_.process.communicate(timeout=SECONDS)
        assert re.search(rb'warn: \[fails T-\d+\] worker "fails" failed: .*no luck', said)
        assert "cancelled by SIGINT" in run_.say("ps", name, status=1)


CLEANS = """
swarm.worker "cleans" { run = function(_, go)
  pcall(swarm.sleep, 600)
  swarm.shield(function() repeat swarm.sleep(0.01) until swarm.fs.exists(go) end)
  print "cleaned up"
end }
swarm.worker "slow" { run = function() swarm.sleep(600) end }
"""


def test_its_end_waits_for_clean_up_and_takes_no_more_work(tmp_path: Path) -> None:
    with listening(tmp_path, CLEANS, "serve") as run:
        go = tmp_path / "go"
        run.say("spawn", "last", "cleans", str(go))
        while "waits for a timer" not in run.say("ps", "last"):
            assert run.process.poll() is None
        run.process.send_signal(signal.SIGINT)
        run.heard("waiting for the clean-up of worker")
        slow = run.say("spawn", "last", "slow").strip()
        assert run.say("join", "last", slow, status=1) == (
            f"error: {slow} cancelled: the run is over\n"
        )
        go.touch()
        out, _ = run.process.communicate(timeout=SECONDS)
        assert out == b"cleaned up\n"


ENDS = """
swarm.worker "fails" { run = function() error("no luck", 0) end }
swarm.worker "stuck" { run = function() return swarm.blocked(1, "needs a person") end }
swarm.worker "uses" { run = function(ctx) ctx:usage { tokens = 60 } return "used" end }
"""


def test_what_failed_and_what_is_blocked_is_summed_up_in_the_end(tmp_path: Path) -> None:
    with listening(tmp_path, ENDS, "serve") as run:
        tasks = [run.say("spawn", "last", name).strip() for name in ("fails", "stuck", "uses")]
        for task in tasks:
            run.done("join", "last", task)
        run.process.send_signal(signal.SIGTERM)
        _, said = run.process.communicate(timeout=SECONDS)
        *_, end = said.decode().partition("cancelling the run")
        assert end.splitlines()[1:] == [
            "1 task failed:",
            f'  worker "fails" ({tasks[0]}): {tmp_path}/run.lua:3: no luck',
            "1 task ended blocked:",
            f'  worker "stuck" ({tasks[1]}): needs a person',
            "used: 60 tokens",
            "cancelled by SIGTERM",
        ]


def test_its_budget_bounds_all_that_is_brought(tmp_path: Path) -> None:
    with listening(tmp_path, ENDS, "serve", "--budget", "tokens=100") as run:
        assert [result(run, "uses"), result(run, "uses")] == ["used", "used"]
        task = run.say("spawn", "last", "uses").strip()
        assert "the budget of tokens of the run is spent" in run.say("join", "last", task, status=1)


def test_its_time_is_that_since_it_began_to_serve(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    script(tmp_path, WORKERS, "workers.lua")
    words = ("serve", "--view", "plain", "workers.lua")
    environment: dict[str, str | None] = {"XDG_RUNTIME_DIR": str(home), "CI": None}
    with Terminal(tmp_path, *words, terminal=True, environment=environment) as run:
        run.expect(" passed · 1 s")


@pytest.mark.parametrize("why", ["too long", "not a folder"])
def test_it_ends_where_nobody_can_speak_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    place = tmp_path / ("x" * 100 if why == "too long" else "home")
    place.mkdir()
    if why == "not a folder":
        (place / "swarm-host").touch()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(place))
    done = run("serve", script(tmp_path, WORKERS + "swarm.main(function() print 'main' end)"))
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr.startswith(b"error: nobody can speak to this run from outside: ")
    assert b"set XDG_RUNTIME_DIR" in done.stderr
