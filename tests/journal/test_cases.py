"""What users of journals by position complain of: how much is done again. Each counts what ran."""

from __future__ import annotations

import re
import signal
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from tests.support.command_line import SWARM_HOST
from tests.support.waiting import hold

PARALLEL = """
swarm.worker "review" {
  command = { "sh", "-c", [[RUN]], "sh", "{input.file}" },
  retries = RETRIES,
}
swarm.main(function()
  local files, handles, passed = {}, {}, 0
  for i = ORDER do files[#files + 1] = "f" .. i end
  MORE
  for i, file in ipairs(files) do handles[i] = swarm.spawn("review", { file = file }) end
  for _, h in ipairs(handles) do passed = passed + (swarm.join(h) and 1 or 0) end
  if passed < #files then error(#files - passed .. " failed") end
  return passed
end)
"""

SAYS = 'echo "$1" >> ran; '


def script(run: str = "", order: str = "1, 102", more: str = "", retries: str = "0") -> str:
    """A script that reviews 102 files at once."""
    text = PARALLEL.replace("RUN", SAYS + run).replace("ORDER", order)
    return text.replace("MORE", more).replace("RETRIES", retries)


def swarm_host(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*SWARM_HOST, *words], cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )


def ran(folder: Path) -> Counter[str]:
    """What has run since the last look, and how often."""
    path = folder / "ran"
    lines = path.read_text().split() if path.exists() else []
    path.unlink(missing_ok=True)
    return Counter(lines)


def test_two_of_a_hundred_and_two_have_failed(tmp_path: Path) -> None:
    fails = 'case "$1" in f7|f50) test -e mended ;; esac'
    (tmp_path / "s.lua").write_text(script(fails))
    first = swarm_host(tmp_path, "--journal", "j", "s.lua")
    assert (first.returncode, len(ran(tmp_path))) == (1, 102)
    assert "2 failed" in first.stderr
    assert re.search(r"\nresume it with: swarm-host resume \S*/j\n\Z", first.stderr)
    (tmp_path / "mended").touch()
    again = swarm_host(tmp_path, "resume", "./j")
    assert (again.returncode, again.stdout, ran(tmp_path)) == (0, "102\n", {"f7": 1, "f50": 1})


def test_it_was_stopped_by_force_in_the_middle(tmp_path: Path) -> None:
    holds = 'n=${1#f}; test "$n" -le 60 || test -e mended || sleep 600; echo "$1" >> done'
    (tmp_path / "s.lua").write_text(script(holds))
    command = [*SWARM_HOST, "--journal", "j", "s.lua"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE) as process:
        done = tmp_path / "done"
        hold(lambda: done.exists() and len(done.read_text().split()) == 60)
        hold(lambda: passed(tmp_path / "j") == 60)
        process.send_signal(signal.SIGKILL)
    ran(tmp_path)
    (tmp_path / "mended").touch()
    again = swarm_host(tmp_path, "resume", "./j")
    assert (again.returncode, again.stdout) == (0, "102\n")
    assert ran(tmp_path) == {f"f{n}": 1 for n in range(61, 103)}


def passed(journal: Path) -> int:
    """How many tasks the journal has as passed."""
    import sqlite3

    if not journal.exists():
        return 0
    with sqlite3.connect(journal) as db:
        try:
            found = db.execute("SELECT count(*) FROM ends WHERE status='pass'").fetchone()
        except sqlite3.OperationalError:
            return 0  # it is being made
    return int(found[0])


@pytest.mark.parametrize(
    ("order", "more", "expected"),
    [
        ("102, 1, -1", "", {}),
        ("1, 102", 'table.insert(files, 1, "f0")', {"f0": 1}),
        ("1, 102", 'table.remove(files, 3) files[50] = "f50b"', {"f50b": 1}),
    ],
    ids=["in another order", "one in front", "one gone and one changed"],
)
def test_the_script_has_changed(
    tmp_path: Path, order: str, more: str, expected: dict[str, int]
) -> None:
    text = script().replace("return passed", 'error("broken off")')
    (tmp_path / "s.lua").write_text(text)
    assert swarm_host(tmp_path, "--journal", "j", "s.lua").returncode == 1
    assert len(ran(tmp_path)) == 102
    (tmp_path / "s.lua").write_text(script("", order, more))
    again = swarm_host(tmp_path, "resume", "./j", "--with", "s.lua")
    assert (again.returncode, ran(tmp_path)) == (0, expected), again.stderr


def test_an_attempt_died_and_was_tried_again(tmp_path: Path) -> None:
    dies = 'if test "$1" = f9 && ! test -e once; then touch once; kill -9 $$; fi'
    text = script(dies, retries="{ max = 1, backoff = 0 }")
    (tmp_path / "s.lua").write_text(text.replace("return passed", 'error("broken off")'))
    assert swarm_host(tmp_path, "--journal", "j", "s.lua").returncode == 1
    assert ran(tmp_path) == {f"f{n}": 1 for n in range(1, 103)} | {"f9": 2}
    (tmp_path / "s.lua").write_text(text)
    again = swarm_host(tmp_path, "resume", "./j", "--with", "s.lua", "--explain")
    assert (again.returncode, again.stdout, ran(tmp_path)) == (0, "102\n", {})


def test_equal_inputs_side_by_side_keep_their_results(tmp_path: Path) -> None:
    text = """
    swarm.worker "roll" { command = { "sh", "-c", "echo $$ >> ran; echo $$" } }
    swarm.main(function()
      local rolls = swarm.map("roll", { 1, 1, 1, 1, 1, 1, 1, 1 })
      local out = {}
      for i, roll in ipairs(rolls) do out[i] = roll.raw or roll end
      if not swarm.fs.exists("mended") then
        swarm.fs.write("rolls", swarm.json.encode(out))
        error("broken off")
      end
      return out
    end)
    """
    (tmp_path / "s.lua").write_text(text)
    assert swarm_host(tmp_path, "--journal", "j", "s.lua").returncode == 1
    assert len(ran(tmp_path)) == 8
    (tmp_path / "mended").touch()
    again = swarm_host(tmp_path, "resume", "./j")
    assert again.stdout.strip() == (tmp_path / "rolls").read_text().strip()
    assert not ran(tmp_path)
