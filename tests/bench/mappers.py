"""The benchmark of agents: what each says, through its mapper."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from unittest.mock import patch

from tests.bench.running import HERE, PEERS, Result, ours, run

AGENTS = HERE / "agents"
NAMES = ("claude", "codex", "gemini", "opencode")


def _mapper(name: str, megabytes: int, rounds: int) -> Result:
    mine, theirs, peaks, items = [], [], [], 0
    for _ in range(rounds):
        peer = [sys.executable, str(PEERS / "json_loads.py"), str(AGENTS / name)]
        bare = run(peer)[0]
        theirs.append(bare["seconds"])
        items = bare["items"]
        result, peak = ours("mappers.lua", name, megabytes)
        assert result["answered"]
        mine.append(result["seconds"])
        peaks.append(peak)
    return {
        "seconds": round(min(mine), 2),
        "events_a_second": round(items / min(mine)),
        "ratio": round(min(mine) / min(theirs), 2),
        "peak_mb": round(min(peaks)),
    }


def mappers(short: bool) -> Result:
    """1 GB of what each agent says: at most twice the time of a bare loop of json.loads, and less
    than 100 MB in memory (short: 20 MB, 4 times)."""
    megabytes, rounds = (20, 2) if short else (1000, 2)
    found: Result = {"ok": True}
    path = f"{AGENTS}{os.pathsep}{os.environ['PATH']}"
    with patch.dict(os.environ, PATH=path, MEGABYTES=str(megabytes)):
        for name in NAMES:
            one = found[name] = _mapper(name, megabytes, rounds)
            met = one["ratio"] <= (4.0 if short else 2.0) and one["peak_mb"] < 100
            found["ok"] = found["ok"] and met
    return found


BENCHMARKS: dict[str, Callable[[bool], Result]] = {"mappers": mappers}
