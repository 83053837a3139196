"""``swarm-host serve``: workers that are kept up, and take work from outside."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from tests.serving.running import SECONDS, Listening, listening

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
