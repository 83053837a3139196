"""Random signals at random instants, to a run whose workers are processes."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

SWARM = Path(__file__).with_name("swarm.lua")

LATEST_SECONDS = {"up": 0.6, "begun": 0.3}
"""The last instant at which a signal comes, after the command line has begun to listen, and after
the run has begun to start processes."""

END_SECONDS = 30.0
"""How long a run may take to end."""

GONE_SECONDS = 5.0
"""How long what it has started may take to go after it."""

AT_ONCE = 6

# Says when it listens: what comes before is Python's own matter.
_BEGIN = f"""
import sys
import swarm_host.cli
print("up", flush=True)
sys.argv[1:1] = ["--quiet", {str(SWARM)!r}]
swarm_host.cli.main(prog_name="swarm-host")
"""

_PAUSE = 0.15  # seconds between two signals that shall count as two

WAYS: dict[str, tuple[tuple[signal.Signals, ...], tuple[int, ...]]] = {
    "INT": ((signal.SIGINT,), (130,)),
    "TERM": ((signal.SIGTERM,), (143,)),
    "HUP": ((signal.SIGHUP,), (-signal.SIGHUP,)),
    "QUIT": ((signal.SIGQUIT,), (-signal.SIGQUIT,)),
    "USR1": ((signal.SIGUSR1,), (-signal.SIGUSR1,)),
    "TERM, TERM": ((signal.SIGTERM, signal.SIGTERM), (143,)),
    "STOP, CONT, TERM": ((signal.SIGSTOP, signal.SIGCONT, signal.SIGTERM), (143,)),
}
"""Names of ways to end a run: the signals, and the statuses that may come of it."""


def run(seed: int, count: int) -> list[str]:
    """Ends so many runs. Returns what went wrong, a line each."""
    chance = random.Random(seed)
    plan = []
    for _ in range(count):
        since = chance.choice([*LATEST_SECONDS])
        plan.append((chance.choice([*WAYS]), since, chance.random() * LATEST_SECONDS[since]))
    with ThreadPoolExecutor(AT_ONCE) as pool:
        found = pool.map(lambda one: _problems(*one), plan)
        return [problem for problems in found for problem in problems]


def _problems(way: str, since: str, instant: float) -> list[str]:
    numbers, statuses = WAYS[way]
    mark = str(uuid.uuid4())
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            [sys.executable, "-c", _BEGIN, mark],
            stdout=subprocess.PIPE,
            stderr=said,
            start_new_session=True,
        )
        assert process.stdout is not None
        with process.stdout as out:
            while out.readline().decode() not in (f"{since}\n", ""):
                pass
            time.sleep(instant)
            for place, number in enumerate(numbers):
                if place:
                    time.sleep(_PAUSE)
                process.send_signal(number)
            problems = []
            try:
                status = process.wait(END_SECONDS)
                if status not in statuses:
                    problems.append(f"its status is {status}")
            except subprocess.TimeoutExpired:
                problems.append("it does not end")
                process.kill()
                process.wait()
        said.seek(0)
        text = said.read().decode(errors="replace")
    if "Traceback" in text or "internal error" in text:
        problems.append(text)
    left = _left(mark.encode())
    if left:
        problems.append(f"{len(left)} processes are left")
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    return [f"{way} {instant:.3f} s after {since!r}: {problem}" for problem in problems]


def _left(mark: bytes) -> list[int]:
    """The processes that bear the mark in their environment, once they had time to go."""
    deadline = time.monotonic() + GONE_SECONDS
    while (left := marked(mark)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return left


def marked(mark: bytes) -> list[int]:
    """The processes that bear a mark in their environment; those that have ended have none."""
    found = []
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            with suppress(OSError):
                if mark in Path(entry.path, "environ").read_bytes():
                    found.append(int(entry.name))
    return found
