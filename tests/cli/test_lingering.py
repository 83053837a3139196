"""Who a run waits for is said: after a signal at once, and where main is done or out of time."""

from __future__ import annotations

import re
import signal
from pathlib import Path

import pytest

from tests.support.command_line import popen, run, script

WAITS = """
local function cleans_up()
  pcall(swarm.sleep, 60)
  swarm.shield(function() swarm.sleep(SECONDS) end)
end
swarm.worker "slow" { run = cleans_up }
swarm.worker "child" { run = function() swarm.sleep(SECONDS) end }
"""


def written(folder: Path, main: str, seconds: float) -> Path:
    text = WAITS.replace("SECONDS", str(seconds))
    return script(folder, f"{text}swarm.main(function() {main} end)")


@pytest.mark.parametrize(
    ("number", "word"), [(signal.SIGINT, "Ctrl-C"), (signal.SIGTERM, "SIGTERM")]
)
def test_a_signal_says_at_once_what_it_cancels(
    tmp_path: Path, number: signal.Signals, word: str
) -> None:
    main = 'swarm.spawn("slow") swarm.sleep(0.1) print("begun") swarm.sleep(60)'
    with popen(written(tmp_path, main, 20)) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == b"begun\n"
        process.send_signal(number)
        assert process.stderr.readline().decode() == (
            f"cancelling 2 workers; {word} again ends at once, without clean-up\n"
        )
        at_work = process.stderr.readline().decode()
        assert re.fullmatch(r'  worker "slow" \(T-2\), \d+ s: waits for a timer\n', at_work)
        said = process.stderr.readline().decode()
        assert said.startswith('cancelled; waiting for the clean-up of worker "slow" (T-2) at ')
        assert said.endswith("script.lua:4\n")
        process.send_signal(number)
        assert process.wait(timeout=20) == 128 + number


def test_main_that_is_done_says_who_goes_on(tmp_path: Path) -> None:
    path = written(tmp_path, 'for _ = 1, 7 do swarm.spawn("child") end', 2)
    said = run(path).stderr.decode()
    assert said.count("main is done; waiting for ") == 1
    assert said.count('worker "child" (T-') == 5
    assert said.endswith(", and 2 more\n")


def test_a_detached_worker_that_goes_on_is_named_too(tmp_path: Path) -> None:
    path = written(tmp_path, 'swarm.spawn("child", nil, { detached = true })', 2)
    said = run(path).stderr.decode()
    assert said.startswith('main is done; waiting for worker "child" (T-2) at ')


def test_a_timeout_says_whose_clean_up_it_waits_for(tmp_path: Path) -> None:
    done = run("--timeout", "2", written(tmp_path, 'swarm.call("slow")', 2))
    assert done.returncode == 124
    first = done.stderr.decode().splitlines()[0]
    assert first.startswith(
        '--timeout is over; waiting for the clean-up of worker "slow" (T-2) at '
    )


def test_a_quick_end_says_nothing(tmp_path: Path) -> None:
    assert run(written(tmp_path, 'swarm.spawn("child")', 0.2)).stderr == b""
    assert run("--quiet", written(tmp_path, 'swarm.spawn("child")', 2)).stderr == b""
