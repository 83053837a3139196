"""A worker that swallows its cancel holds nobody up, and comes to its end in real time."""

from __future__ import annotations

import json
import time
from pathlib import Path

from tests.support.command_line import run, script

POLLS = """
swarm.worker "poll" { timeout = 0.2, run = function()
  while true do pcall(swarm.sleep, 0.05) end
end }
"""


def test_it_is_told_of_and_abandoned_and_others_run_meanwhile(tmp_path: Path) -> None:
    text = (
        POLLS
        + """
    swarm.main(function()
      local beats = 0
      local beat = swarm.spawn(function()
        while true do swarm.sleep(0.01) beats = beats + 1 end
      end)
      local ok, err = swarm.join(swarm.spawn "poll")
      swarm.cancel(beat)
      assert(beats >= 50, beats)
      return { code = err.code, abandoned = err.abandoned }
    end)
    """
    )
    events = tmp_path / "events"
    words = ("--cancel-grace", "2", "--events", events)
    done = run(*words, script(tmp_path, text))
    assert done.returncode == 0, done.stderr.decode()
    assert json.loads(done.stdout) == {"code": "timeout", "abandoned": True}
    said = done.stderr.decode()
    place = f"{tmp_path}/script.lua:3"
    assert f'worker "poll" was cancelled and goes on: a pcall swallows that, at {place}' in said
    assert (
        f'worker "poll" is abandoned: it swallows its cancel, and goes on for ever, at {place}'
        in said
    )
    kinds = [json.loads(line)["type"] for line in events.read_text().splitlines()]
    assert kinds.count("abandoned") == 1
    assert kinds.index("abandoned") < kinds.index("task_timeout")


def test_the_runs_own_timeout_is_kept_beside_it(tmp_path: Path) -> None:
    text = POLLS + 'swarm.main(function() swarm.call "poll" end)'
    began = time.monotonic()
    done = run("--timeout", "2", "--cancel-grace", "5", script(tmp_path, text))
    assert done.returncode == 124, done.stderr.decode()
    assert time.monotonic() - began < 60
