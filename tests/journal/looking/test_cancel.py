"""``swarm-host cancel RUN``, and what is said of runs that have ended to whoever speaks to them."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from tests.journal.looking.journals import SECONDS, Journals

WAITS = """
swarm.worker "part" { run = function()
  local ok = pcall(swarm.sleep, 1e6)
  print(ok and "slept" or "cleaned up")
end }
swarm.main(function() swarm.call "part" end)
"""


def test_a_run_is_cancelled_as_by_a_signal(journals: Journals) -> None:
    with journals.running(WAITS) as process:
        assert journals.said("cancel", "last") == ""
        out, said = process.communicate(timeout=SECONDS)
        assert (process.returncode, out) == (143, b"cleaned up\n")
        assert b"cancelled by SIGTERM" in said
    [run] = journals.objects("runs")
    assert run["status"] == "cancelled"


def test_what_the_run_has_started_cannot_cancel_it(journals: Journals) -> None:
    text = f"""
    swarm.main(function()
      local ended = swarm.exec {{ "{sys.executable}", "-m", "swarm_host", "cancel", swarm.run_id }}
      return ended.exit_code .. " " .. ended.stderr
    end)
    """
    with journals.running(text) as process:
        out, _ = process.communicate(timeout=SECONDS)
        assert process.returncode == 0
        assert out.startswith(b"1 ")
        assert b"it needs a token" in out


def test_of_one_that_has_ended_it_is_said_how(journals: Journals) -> None:
    name = journals.ran(
        'swarm.main(function() swarm.fs.write("out", "") error("no", 0) end)', status=1
    )
    assert re.fullmatch(f"run {name} ended at .*: exit status 1", journals.error("cancel", name))
    [note] = Path(journals.home, "swarm-host").glob("*.ended")
    note.unlink()  # it is kept for a day
    for words in (("cancel", name), ("cancel", name, "T-1"), ("ps", name), ("join", name, "T-1")):
        assert re.fullmatch(
            rf"run {name} ended at \d{{4}}-\d\d-\d\d [\d:]{{8}}: failed; "
            f"swarm-host show {name} says what became of its tasks",
            journals.error(*words),
        )


def test_of_one_that_goes_on_without_listening_it_is_said_who_it_is(journals: Journals) -> None:
    home = journals.home / "swarm-host"
    home.touch()  # nobody can listen there
    with journals.running(WAITS) as process:
        home.unlink()
        [name] = journals.ids()
        assert journals.error("cancel", name) == (
            f"run {name} goes on and does not listen: kill {process.pid} cancels it as Ctrl-C does"
        )
