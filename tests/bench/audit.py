"""What it costs to have an audit."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from swarm_host.audit.chain import Head, chained
from tests.bench.journal import HOST, SCRIPT
from tests.bench.running import Result, run

OF_RAW = 0.3
"""Of the rate at which Python alone chains the same lines and writes them."""
BATCH = 2000


def _run(count: int, *words: str) -> float:
    began = time.perf_counter()
    result, _ = run([*HOST, "--json", "--quiet", "--no-journal", *words, SCRIPT, str(count)])
    assert result["sum"] == count * (count + 1) // 2
    return time.perf_counter() - began


def _raw(trail: Path, target: Path) -> float:
    """Seconds in which the lines of an audit are chained and written anew, and nothing else."""
    ends = (line.partition(b'"at":')[2].rpartition(b',"hash":')[0] for line in trail.open("rb"))
    rows = [b'{"at":%b}' % end for end in ends]
    began, head = time.perf_counter(), Head()
    with target.open("wb", buffering=0) as file:
        for first in range(0, len(rows), BATCH):
            lines, head = chained(rows[first : first + BATCH], head)
            file.write(lines)
    return time.perf_counter() - began


def audit(short: bool) -> Result:
    """Workers a second with an audit: at least 0.3 of what Python alone chains of its lines."""
    count, rounds = (100_000, 5) if short else (200_000, 5)
    starts, bare, kept, raw = [], [], [], []
    with tempfile.TemporaryDirectory() as folder:
        for nth in range(rounds):
            path = Path(folder, f"{nth}.audit")
            starts.append(_run(1))  # in each round: a machine that was busy for one is so for all
            bare.append(_run(count))
            kept.append(_run(count, "--audit", str(path)))
            raw.append(_raw(path, Path(folder, f"{nth}.raw")))
        size = path.stat().st_size
    start = min(starts)
    ratio = round(min(raw) / (min(kept) - start), 2)
    return {
        "without_us": round((min(bare) - start) / count * 1e6, 2),
        "with_us": round((min(kept) - start) / count * 1e6, 2),
        "chained_us": round(min(raw) / count * 1e6, 2),
        "bytes_a_worker": round(size / count),
        "of_chained": ratio,
        "ok": ratio >= OF_RAW * (0.5 if short else 1.0),
    }


BENCHMARKS = {"audit": audit}
