"""Benchmarks of processes: many short ones, and much that one has to say."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec

from tests.bench.running import HERE, PEERS, Result, ours, run

WRITER = [sys.executable, str(HERE / "writer.py")]


def spawns(short: bool) -> Result:
    """2,000 short processes at 1, 8 and 32 at once: at most 1.25 times asyncio's time, on each loop
    (short: 300 at 8, 2.5 times). xargs stands beside it."""
    loops = ["asyncio", "uvloop"] if find_spec("uvloop") else ["asyncio"]
    count, rounds = (300, 2) if short else (2000, 3)
    found: Result = {"ok": True}
    for at_once in (8,) if short else (1, 8, 32):
        for loop in loops:
            numbers = [loop, str(count), str(at_once)]
            mine, theirs = [], []
            for _ in range(rounds):
                peer = [sys.executable, str(PEERS / "spawns_asyncio.py"), *numbers]
                theirs.append(run(peer)[0]["seconds"])
                host = [sys.executable, "-m", "tests.bench.spawns", *numbers]
                mine.append(run(host)[0]["seconds"])
            ratio = min(mine) / min(theirs)
            found[f"{loop}_{at_once}"] = [round(min(mine), 2), round(ratio, 2)]
            found["ok"] = found["ok"] and ratio <= (2.5 if short else 1.25)
        if shutil.which("xargs"):
            found[f"xargs_{at_once}"] = round(_xargs(count, at_once), 2)
    return found


def _xargs(count: int, at_once: int) -> float:
    lines = "".join(f"{number}\n" for number in range(count))
    started = time.monotonic()
    command = ["xargs", "-P", str(at_once), "-I", "{}", "true"]
    subprocess.run(command, input=lines.encode(), check=True)
    return time.monotonic() - started


def _stream(form: str, megabytes: int, rounds: int) -> Result:
    mine, theirs, peaks, held = [], [], [], []
    for _ in range(rounds):
        peer = [sys.executable, str(PEERS / "stream_asyncio.py"), form]
        theirs.append(run([*peer, *WRITER, form, str(megabytes)])[0]["seconds"])
        result, peak = ours("stream.lua", form, megabytes, sys.executable)
        mine.append(result["seconds"])
        held.append(result["held_ms"])
        peaks.append(peak)
    return {
        "seconds": round(min(mine), 2),
        "ratio": round(min(mine) / min(theirs), 2),
        "peak_mb": round(min(peaks)),
        "held_ms": round(min(held), 1),
    }


def streams(short: bool) -> Result:
    """1 GB through stdout, item by item: at most 1.5 times the time of an asyncio reader that
    parses the same (short: 20 MB, 3 times), and less than 100 MB in memory."""
    megabytes, rounds = (20, 2) if short else (1000, 2)
    found: Result = {"ok": True}
    for form in ("lines", "ndjson", "frames"):
        one = found[form] = _stream(form, megabytes, rounds)
        met = one["ratio"] <= (3.0 if short else 1.5) and one["peak_mb"] < 100
        found["ok"] = found["ok"] and met
    return found


def text(short: bool) -> Result:
    """200 MB as one text: at most 1.5 times the time of an asyncio reader (short: 50 MB, 3 times),
    and twice its size in memory besides what a host takes."""
    megabytes = 50 if short else 200
    bare = _stream("text", 1, 1)["peak_mb"]
    one = _stream("text", megabytes, 3)
    times = (one["peak_mb"] - bare) / megabytes
    met = one["ratio"] <= (3.0 if short else 1.5) and times <= 2.2
    return {**one, "times_its_size": round(times, 2), "ok": met}


BENCHMARKS: dict[str, Callable[[bool], Result]] = {
    "spawns": spawns,
    "streams": streams,
    "text": text,
}
