"""What agents over ACP ask for, in runs that end or are killed while they ask, and are resumed."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import sys
from pathlib import Path

import pytest

from swarm_host.journal.questions import answer
from tests.support.command_line import popen, run, script
from tests.support.waiting import hold

FAKES = Path(__file__).resolve().parents[1] / "fakes" / "bin"


@pytest.fixture(autouse=True)
def _fakes(monkeypatch: pytest.MonkeyPatch) -> None:
    folders = [str(FAKES), str(Path(sys.executable).parent), os.environ["PATH"]]
    monkeypatch.setenv("PATH", os.pathsep.join(folders))


def swarm_of(folder: Path, *prompts: str) -> Path:
    """A script that gives each prompt to an agent, one after the other. Where there is a file
    ``early``, it first allows what is asked for under the key in it."""
    state = folder / "state"
    state.mkdir(exist_ok=True)
    calls = "".join(f"out[#out + 1] = swarm.call('fix', {json.dumps(one)})\n" for one in prompts)
    return script(
        folder,
        f"""
        swarm.agent "fake" {{ command = {{ "acp-agent" }}, protocol = "acp" }}
        swarm.worker "fix" {{
          agent = "fake",
          kill_after = 5,
          env = {{ FAKE_AGENT_STATE = "{state}", FAKE_AGENT_LOG = "{folder}/log" }},
        }}
        swarm.main(function()
          local out = {{}}
          if swarm.fs.exists "{folder}/early" then
            swarm.answer(swarm.fs.read "{folder}/early", "Allow")
          end
          {calls}
          return {{ out = out, always = swarm.array(swarm.approvals()) }}
        end)
        """,
    )


def rows(journal: Path, kind: str) -> dict[str, dict[str, object]]:
    """What a journal has kept of a kind: by task and key."""
    if not journal.exists():
        return {}
    with sqlite3.connect(journal) as db:
        made = db.execute("SELECT count(*) FROM sqlite_master WHERE name='kept'").fetchone()[0]
        sql = "SELECT task, key, value FROM kept WHERE kind=?"
        found = db.execute(sql, (kind,)).fetchall() if made else []
    return {f"T-{task}.{key}": json.loads(value) for task, key, value in found}


def opened(journal: Path) -> dict[str, str]:
    """The commands that are asked for, by key."""
    return {
        key: one["about"]["details"]["arguments"]["command"]  # type: ignore[index]
        for key, one in rows(journal, "question").items()
    }


def chosen(said: str) -> list[str]:
    """The options that an agent was given, in order."""
    return re.findall(r"id-\w+", said)


def lines(folder: Path) -> list[str]:
    path = folder / "log"
    return path.read_text().splitlines() if path.exists() else []


def test_a_run_that_waits_for_an_approval_is_resumed_in_its_session(tmp_path: Path) -> None:
    journal = tmp_path / "j"
    path = swarm_of(tmp_path, "use shell make\nuse shell ls\nuse shell make")
    done = run("--journal", journal, path)
    assert done.returncode == 75, done.stderr
    assert b"agent fake asks to use shell" in done.stderr
    assert b"(Allow, Always allow, Reject, Never allow)" in done.stderr
    assert "make: cancelled" in lines(tmp_path)
    ((key, command),) = opened(journal).items()
    assert command == "make"
    answer(journal, key, "Reject", "Ann", "not now")
    again = run("resume", journal)
    assert again.returncode == 75, again.stderr
    assert opened(journal).keys() > {key}
    (second,) = opened(journal).keys() - {key}
    answer(journal, second, "Allow", "Bob", None)
    last = run("resume", "--json", journal)
    assert last.returncode == 0, last.stderr
    (said,) = json.loads(last.stdout)["out"]
    assert chosen(said) == ["id-reject_once", "id-allow_once", "id-reject_once"]
    assert len([line for line in lines(tmp_path) if line.startswith("new ")]) == 1
    assert len([line for line in lines(tmp_path) if line.startswith("load ")]) == 2


def test_an_answer_is_found_again_in_another_order(tmp_path: Path) -> None:
    journal, orders = tmp_path / "j", tmp_path / "orders"
    orders.write_text("use shell a\nuse shell b\nuse shell c")
    path = swarm_of(tmp_path, f"orders {orders}")
    assert run("--journal", journal, path).returncode == 75
    answer(journal, next(iter(opened(journal))), "Allow", "Ann", None)
    assert run("resume", journal).returncode == 75
    asked = {command: key for key, command in opened(journal).items()}
    answer(journal, asked["b"], "Reject", "Ann", None)
    orders.write_text("use shell c\nuse shell b\nuse shell a")
    assert run("resume", journal).returncode == 75
    asked = {command: key for key, command in opened(journal).items()}
    assert asked.keys() == {"a", "b", "c"}
    answer(journal, asked["c"], "Always allow", "Ann", None)
    last = run("resume", "--json", journal)
    assert last.returncode == 0, last.stderr
    (said,) = json.loads(last.stdout)["out"]
    assert chosen(said) == ["id-allow_always", "id-reject_once", "id-allow_once"]


def test_a_run_that_is_killed_while_an_agent_asks(tmp_path: Path) -> None:
    journal = tmp_path / "j"
    path = swarm_of(tmp_path, "use shell make\nuse shell ls")
    words: list[str | Path] = ["--on-ask", "wait", "--journal", journal, path]
    for asks, command, said in ((1, "", ""), (2, "make", "Allow"), (3, "ls", "Reject")):
        with popen(*words) as process:
            hold(lambda: lines(tmp_path).count("asks make") == asks)  # noqa: B023 - it is over then
            hold(lambda: command in {"", *opened(journal).values()})  # noqa: B023
            process.send_signal(signal.SIGKILL)
            process.wait()
        for key, asked in opened(journal).items():
            if asked == command:
                answer(journal, key, said, "Ann", None)
        words = ["resume", journal]
    last = run("resume", "--json", journal)
    assert last.returncode == 0, last.stderr
    (told,) = json.loads(last.stdout)["out"]
    assert chosen(told) == ["id-allow_once", "id-reject_once"]
    assert sorted(opened(journal).values()) == ["ls", "make"]


def test_an_answer_that_comes_before_it_is_asked_for_again_counts(tmp_path: Path) -> None:
    journal = tmp_path / "j"
    path = swarm_of(tmp_path, "use shell make")
    assert run("--journal", journal, path).returncode == 75
    (tmp_path / "early").write_text(next(iter(opened(journal))))
    last = run("resume", "--json", journal)
    assert last.returncode == 0, last.stderr
    assert chosen(json.loads(last.stdout)["out"][0]) == ["id-allow_once"]


def test_what_is_allowed_for_always_outlives_a_kill(tmp_path: Path) -> None:
    journal = tmp_path / "j"
    path = swarm_of(tmp_path, "use shell a", "use shell b\nuse browser c", "use shell d")
    assert run("--journal", journal, path).returncode == 75
    answer(journal, next(iter(opened(journal))), "Always allow", "Ann", None)
    assert run("resume", journal).returncode == 75
    assert sorted(opened(journal).values()) == ["a", "c"]
    (key,) = opened(journal).keys() - rows(journal, "answer").keys()
    answer(journal, key, "Reject", "Ann", None)
    last = run("resume", "--json", journal)
    assert last.returncode == 0, last.stderr
    found = json.loads(last.stdout)
    assert [chosen(said) for said in found["out"]] == [
        ["id-allow_always"],
        ["id-allow_always", "id-reject_once"],
        ["id-allow_always"],
    ]
    (always,) = found["always"]
    assert (always["worker"], always["tool"], always["by"]) == ("fix", "shell", "Ann")
