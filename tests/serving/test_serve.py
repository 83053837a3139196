"""``swarm-host serve``: workers that are kept up, and take work from outside."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path

from tests.serving.running import SECONDS, Listening, listening
from tests.support.command_line import run, script

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
