"""Random swarms, killed at random instants and resumed to the end: the result
is that of an undisturbed run, and what the journal had as passed at a kill has not begun again."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

HOST = str(Path(sys.executable).with_name("swarm-host"))
SCRIPT = Path(__file__).with_name("swarm.lua")
MOST_RESUMES = 40
SECONDS = 60.0

# Programs ----------------------------------------------------------------------------------------

_SECONDS = st.sampled_from([0, 0.002, 0.01, 0.03])
_SMALL = st.integers(0, 9)


def _node(commands: st.SearchStrategy[list[Any]]) -> st.SearchStrategy[Any]:
    return st.fixed_dictionaries({"commands": commands})


def _op(name: str, **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.fixed_dictionaries({"op": st.just(name), **fields})


_LEAVES = st.one_of(
    _op("sleep", seconds=_SECONDS),
    _op("program", seconds=_SECONDS, value=_SMALL),
    _op("flaky", failures=st.integers(0, 3), value=_SMALL),
    _op("channel", size=st.integers(0, 2), count=st.integers(0, 5)),
    _op("random", value=_SMALL),
)


def _nested(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    commands = st.lists(inner, max_size=3)
    node = _node(commands)
    nodes = st.lists(node, min_size=1, max_size=3)
    return st.one_of(
        _op("spawn", node=node),
        _op("pair", first=node, second=node),
        _op("map", nodes=nodes),
        _op("all", nodes=nodes),
        _op("any", node=node, seconds=_SECONDS),
        _op("cancel", node=node),
        _op("retry", node=node),
        _op("scope", node=node, commands=commands),
    )


programs = st.lists(st.recursive(_LEAVES, _nested, max_leaves=12), min_size=1, max_size=6)
"""Programs as the script takes them, without ids; equal commands are common, and meant."""


def numbered(program: Any) -> Any:
    """The same with an id for each node and command, so that what begins can be told; one in three
    has the id of another that is alike, as equal inputs must not be confused."""
    count = 0

    def walk(value: Any) -> Any:
        nonlocal count
        if isinstance(value, list):
            return [walk(one) for one in value]
        if isinstance(value, dict):
            count += 1
            own = count
            walked = {key: walk(one) for key, one in value.items()}
            return {"id": own, **walked}
        return value

    return walk(program)


# Runs --------------------------------------------------------------------------------------------


@dataclass
class Played:
    """What came of a run that was killed and resumed.

    :ivar result: what main returned, as text.
    :ivar kills: how often it was killed while it ran.
    :ivar wrong: what must not have happened.
    """

    result: str = ""
    kills: int = 0
    wrong: list[str] = field(default_factory=list)


def undisturbed(program: Any, folder: Path) -> str:
    """The result of a run that nobody disturbs."""
    done = subprocess.run(
        _command(program, folder / "whole.journal", folder / "whole.log"),
        capture_output=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


def _command(program: Any, journal: Path, log: Path) -> list[str]:
    script = [str(SCRIPT), str(log)]
    return [HOST, "--journal", str(journal), "--input", json.dumps(program), "--json", *script]


def disturbed(program: Any, folder: Path, chance: random.Random, seconds: float) -> Played:
    """Plays a program, and kills it at random instants.

    :param seconds: within which each kill falls, after the start.
    """
    played = Played()
    journal, log = folder / "killed.journal", folder / "killed.log"
    for number in range(MOST_RESUMES):
        command, passed, begun = _command(program, journal, log), set[str](), 0
        if _is_journal(journal):
            command = [HOST, "resume", str(journal), "--json"]
            passed, begun = _passed(journal), len(_lines(log))
            played.wrong += _check(journal)
        else:  # it was killed before there was anything to lose
            for left in folder.glob("killed.*"):
                left.unlink()
        last = number == MOST_RESUMES - 1
        said = _one(command, None if last else chance.uniform(0.05, seconds))
        again = {line.split()[0] for line in _lines(log)[begun:]} & passed
        played.wrong += [f"{task} had passed, and began again" for task in sorted(again)]
        if said is not None:
            played.result = said
            return played
        played.kills += 1
    raise AssertionError("it has not come to its end")


def _one(command: list[str], seconds: float | None) -> str | None:
    """Runs a command, and kills it after so many seconds. What it said; None: it was killed."""
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    )
    try:
        out, err = process.communicate(timeout=SECONDS if seconds is None else seconds)
    except subprocess.TimeoutExpired:
        assert seconds is not None, "it hangs"
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        return None
    assert process.returncode == 0, err.decode()
    return out.decode()


def _is_journal(path: Path) -> bool:
    if not path.exists():
        return False
    with sqlite3.connect(path) as db:
        known = db.execute("SELECT count(*) FROM sqlite_master WHERE name='meta'").fetchone()[0]
        return bool(known and db.execute("SELECT count(*) FROM meta").fetchone()[0])


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def _check(journal: Path) -> list[str]:
    with sqlite3.connect(journal) as db:
        sound = db.execute("PRAGMA integrity_check").fetchone()[0]
    return [] if sound == "ok" else [f"the journal: {sound}"]


def _passed(journal: Path) -> set[str]:
    """The tasks that had passed and used nothing but what is theirs."""
    with sqlite3.connect(journal) as db:
        rows = db.execute(
            "SELECT t.id FROM tasks t JOIN ends e ON e.task=t.id WHERE e.status='pass' "
            "AND e.reusable AND t.kind!='function' "
            "AND t.name!='again'"  # it is begun twice, as swarm.retry has it
        ).fetchall()
    return {f"T-{number}" for (number,) in rows}


def example(seed: int) -> Any:
    """A program of Hypothesis' of a seed: the same each time."""
    from hypothesis import HealthCheck, Phase, given, settings
    from hypothesis import seed as seeded

    made: list[Any] = []

    @seeded(seed)
    @settings(
        max_examples=8,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(programs)
    def collect(program: Any) -> None:
        made.append(program)

    collect()
    return numbered(max(made, key=lambda one: len(json.dumps(one))))
