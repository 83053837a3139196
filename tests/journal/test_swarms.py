"""Random swarms, and one of two thousand workers, that are killed and resumed to the end."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from tests.journal import swarms
from tests.support.command_line import SWARM_HOST

SEEDS = int(os.environ.get("SWARM_SWARMS", "8"))
KILLS = int(os.environ.get("SWARM_KILLS", "6"))
"""How often the one of two thousand is killed; 300 in the long form."""


@pytest.mark.parametrize("nth", range(SEEDS))
def test_a_random_swarm_comes_to_what_it_would_have(nth: int, tmp_path: Path) -> None:
    seed = random.randrange(2**32)
    program = swarms.example(seed)
    whole = swarms.undisturbed(program, tmp_path)
    played = swarms.disturbed(program, tmp_path, random.Random(seed), 0.8)
    assert (played.result, played.wrong) == (whole, []), (nth, seed)


TWO_THOUSAND = """
swarm.worker "program" {
  command = { "sh", "-c", "echo $1 >> LOG; echo $1", "sh", "{input.n}" },
  output = { format = "text" },
  concurrency = 16,
}
swarm.worker "lua" {
  run = function(_, input)
    swarm.fs.append("LOG", input.n .. "\\n")
    return tostring(input.n)
  end,
}
swarm.main(function()
  local n, sum, lanes = 0, 0, {}
  for lane = 1, 24 do
    lanes[lane] = function()
      while n < COUNT do -- which number is whose depends on who has ended first
        n = n + 1
        local value = swarm.call(n % 2 == 0 and "program" or "lua", { n = n })
        sum = sum + tonumber(value)
      end
    end
  end
  swarm.all(lanes)
  return { n, sum }
end)
"""


def test_two_thousand_workers_are_killed_at_random_instants(tmp_path: Path) -> None:
    count, log, journal = 2000, tmp_path / "log", tmp_path / "j"
    text = TWO_THOUSAND.replace("LOG", str(log)).replace("COUNT", str(count))
    (tmp_path / "s.lua").write_text(text)
    chance = random.Random(seed := random.randrange(2**32))
    command = [*SWARM_HOST, "--json", "--journal", str(journal), str(tmp_path / "s.lua")]
    kills, out = 0, b""
    while True:
        passed, before = passed_inputs(journal), lines(log)
        last = kills >= KILLS
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            out, err = process.communicate(timeout=120 if last else chance.uniform(0.1, 2.5))
        except subprocess.TimeoutExpired:
            assert not last, "it hangs"
            process.send_signal(signal.SIGKILL)
            process.communicate()
            kills += 1
        again = Counter(lines(log)[len(before) :])
        assert not passed & again.keys(), seed
        if process.returncode != -signal.SIGKILL:
            break
        if journal.exists():
            with sqlite3.connect(journal) as db:
                assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            command = [*SWARM_HOST, "resume", "--json", str(journal)]
    assert process.returncode == 0, err.decode()
    assert json.loads(out) == [count, count * (count + 1) // 2], seed
    assert set(lines(log)) == {str(n) for n in range(1, count + 1)}


def lines(log: Path) -> list[str]:
    return log.read_text().split() if log.exists() else []


def passed_inputs(journal: Path) -> set[str]:
    """The numbers whose workers the journal has as passed."""
    if not journal.exists():
        return set()
    with sqlite3.connect(journal) as db:
        rows = db.execute(
            "SELECT t.input FROM tasks t JOIN ends e ON e.task=t.id "
            "WHERE e.status='pass' AND t.name IN ('lua', 'program')"
        ).fetchall()
    return {str(json.loads(text)["n"]) for (text,) in rows}
