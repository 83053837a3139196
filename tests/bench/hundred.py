"""A hundred agents: what becomes of them, what they leave, and how long they take beside what eight
slots allow, which comes out of the fakes' own times in the same run."""

from __future__ import annotations

import heapq
import json
import os
import subprocess
import sys
import tempfile
import time
import uuid
from collections import deque
from collections.abc import Callable
from pathlib import Path

from swarm_host.serving.addresses import ENDED
from tests.bench.running import HERE, Result
from tests.support.families import with_word

FAKES = HERE.parents[0] / "fakes" / "bin"
SLOTS, IDLE, LINGER, KILL_AFTER, LEAST_PARK = 8, 4.0, 0.2, 0.2, 1.0
"""Those of ``hundred.lua``, in seconds, and how long a pool is parked at least."""

ENDS = {
    "tools pass 1": 86,
    "linger pass 1": 3,
    "limit pass 2": 4,
    "hang failed idle_timeout 1": 5,
    "fail failed agent_failed 1": 2,
}
TURNS = 86 + 3 + 4 * 2 + 2
"""That have told what they cost: those that met a limit have two, those that hung none."""

USED = {"cost": round(0.0125 * TURNS, 6), "tokens": 120 * TURNS + 9 * 5}
"""What hung has told of one message."""

SPAWNED = ["limit"] * 4 + ["hang"] * 5 + ["linger"] * 3 + ["fail"] * 2 + ["tools"] * 86


def run(seconds: float) -> Result:
    """Runs the hundred, each of which works for some seconds.

    :return: ``ends``, ``sessions``, ``trees`` and ``used`` as the script tells them; ``left``: what
        is on disk or runs once the host has ended; ``seconds`` that it took, ``allowed`` by the
        slots, and ``said``, its stderr.
    """
    word = f"--hundred-{uuid.uuid4()}"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        repository, environ = _repository(folder)
        script = str(HERE / "hundred.lua")
        command = [sys.executable, "-m", "swarm_host", "--json", script, name, word, str(seconds)]
        done = subprocess.run(command, cwd=repository, env=environ, capture_output=True)
        if done.returncode != 0:
            raise SystemExit(done.stderr.decode())
        found: Result = json.loads(done.stdout)
        found["said"] = done.stderr.decode()
        found["left"] = _left(folder, repository, word)
        found["allowed"] = _allowed(folder / "times")
    return found


def _repository(folder: Path) -> tuple[Path, dict[str, str]]:
    """A repository with a commit, and an environment in which all that is left can be seen."""
    repository = folder / "repository"
    for made in (repository, folder / "sessions", folder / "temporary"):
        made.mkdir()
    environ = os.environ | {
        "PATH": f"{FAKES}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(HERE.parents[1] / "host"),
        "XDG_STATE_HOME": str(folder / "state"),
        "TMPDIR": str(folder / "temporary"),
        "GIT_CONFIG_GLOBAL": os.devnull,
    }
    author = ["-c", "user.name=somebody", "-c", "user.email=somebody@example.com"]
    for words in (["init", "-q", "-b", "main"], ["commit", "-q", "--allow-empty", "-m", "first"]):
        subprocess.run(["git", *author, *words], cwd=repository, env=environ, check=True)
    return repository, environ


def _left(folder: Path, repository: Path, word: str) -> list[str]:
    """What is left: worktrees, branches, files, processes (which are given a moment to be gone).
    The note of how the run ended is to stay."""

    def git(*words: str) -> list[str]:
        done = subprocess.run(["git", *words], cwd=repository, capture_output=True, check=True)
        return done.stdout.decode().splitlines()

    left = git("worktree", "list")[1:] + git("branch", "--format=%(refname:short)")[1:]
    for place in ("state", "temporary"):
        files = [path for path in (folder / place).rglob("*") if not path.is_dir()]
        files = [path for path in files if path.suffix != ENDED and ".journal" not in path.name]
        left += [str(path.relative_to(folder)) for path in files]
    deadline = time.monotonic() + 5
    while (running := with_word(word)) and time.monotonic() < deadline:
        time.sleep(0.01)
    return left + [f"process {pid}" for pid in running]


def _allowed(times: Path) -> float:
    """Seconds that the slots allow: a schedule of the fakes' own times, in the order of coming.

    An agent holds its slot for as long as its process lived; one that hung or lingered for as long
    after its last word as the host lets it. A limit parks all until it is over.
    """
    processes: dict[int, dict[str, float]] = {}
    modes: dict[int, str] = {}
    for line in map(json.loads, times.read_text().splitlines()):
        processes.setdefault(line["pid"], {})[line["what"]] = line["at"]
        processes[line["pid"]]["resets_at"] = line["resets_at"]
        modes[line["pid"]] = line["modes"][0]
    lives: dict[str, deque[tuple[float, float]]] = {mode: deque() for mode in SPAWNED}
    after = {"hang": IDLE + KILL_AFTER, "linger": LINGER + KILL_AFTER}
    for pid, at in sorted(processes.items(), key=lambda one: one[1]["began"]):
        ended = at["ended"] if "ended" in at else at["said"] + after[modes[pid]]
        parks = max(at["resets_at"] - ended, LEAST_PARK) if modes[pid] == "limit" else 0.0
        lives[modes[pid]].append((ended - at["began"], parks))
    return _schedule(lives)


def _schedule(lives: dict[str, deque[tuple[float, float]]]) -> float:
    now, parked = 0.0, 0.0
    waiting, running = deque(SPAWNED), list[tuple[float, str, float]]()
    tried = 0  # how many of those that meet a limit have met it
    while waiting or running:
        while waiting and len(running) < SLOTS and now >= parked:
            mode = waiting.popleft()
            lasts, parks = lives[mode].popleft()
            heapq.heappush(running, (now + lasts, mode, parks))
        if waiting and len(running) < SLOTS and (not running or parked <= running[0][0]):
            now = parked
            continue
        now, mode, parks = heapq.heappop(running)
        if mode == "limit" and tried < SPAWNED.count("limit"):
            tried += 1
            parked = max(parked, now + parks)
            waiting.appendleft(mode)
    return now


def hundred(short: bool) -> Result:
    """100 agents, 8 at once: all is told, nothing is left, 1.2 of what slots allow (short: 2)."""
    rounds = [run(0.3 if short else 1.0) for _ in range(1 if short else 3)]
    ratios = [round(found["seconds"] / found["allowed"], 2) for found in rounds]
    best = min(rounds, key=lambda found: found["seconds"] / found["allowed"])
    return {
        "wrong": [wrong for found in rounds for wrong in wrongs(found)],
        "seconds": round(best["seconds"], 2),
        "allowed": round(best["allowed"], 2),
        "ratios": ratios,
        "ok": not any(map(wrongs, rounds)) and min(ratios) <= (2.0 if short else 1.2),
    }


def wrongs(found: Result) -> list[str]:
    """What a run should not have come to, whatever the machine."""
    used = {key: round(found["used"][key], 6) for key in USED}
    expected = {"ends": ENDS, "used": USED, "sessions": 100, "trees": 100, "left": []}
    return [
        f"{what}: {got}"
        for what, wanted in expected.items()
        if (got := used if what == "used" else found[what]) != wanted
    ]


BENCHMARKS: dict[str, Callable[[bool], Result]] = {"hundred": hundred}
