"""What it costs to keep a run, and to go on with it."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from swarm_host.journal.schema import create
from tests.bench.running import HERE, Result, run

OF_RAW = 0.4
"""Of the rate at which SQLite takes the same rows from Python."""
QUICK_SECONDS = 1.0
MOST_MEMORY = 1.3
"""Times the memory that a tenth as many workers take, or 50,000."""
ROWS = 2000
HOST = [sys.executable, "-m", "swarm_host"]
SCRIPT = str(HERE / "journal.lua")


def _run(count: int, *words: str) -> tuple[float, float]:
    """Seconds of a whole run, with its start and its end, and its peak in MB."""
    began = time.perf_counter()
    result, peak = run([*HOST, "--json", *words, SCRIPT, str(count)])
    assert result["sum"] == count * (count + 1) // 2
    return time.perf_counter() - began, peak


def _raw(journal: Path, target: Path) -> float:
    """Seconds in which bare executemany writes the rows of a journal into another file."""
    with sqlite3.connect(journal) as known:
        tasks = [tuple(map(str, row)) for row in known.execute("SELECT * FROM tasks")]
        ends = [tuple(map(str, row)) for row in known.execute("SELECT * FROM ends")]
    fields = len(tasks[0]), len(ends[0])
    inserts = [
        f"INSERT INTO {name} VALUES({','.join('?' * count)})"
        for name, count in zip(("tasks", "ends"), fields, strict=True)
    ]
    began = time.perf_counter()
    connection = sqlite3.connect(target, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=normal")
    create(connection)
    for first in range(0, len(tasks), ROWS):
        connection.execute("BEGIN")
        connection.executemany(inserts[0], tasks[first : first + ROWS])
        connection.executemany(inserts[1], ends[first : first + ROWS])
        connection.execute("COMMIT")
    connection.close()
    return time.perf_counter() - began


def journal(short: bool) -> Result:
    """Workers a second with a journal: at least 0.4 of what bare executemany writes of its rows."""
    count, rounds = (50_000, 2) if short else (200_000, 5)
    bare, kept, raw = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        start = min(_run(1, "--no-journal")[0] for _ in range(3))
        for nth in range(rounds):
            path = Path(folder, f"{nth}.journal")
            bare.append(_run(count, "--no-journal")[0] - start)
            kept.append(_run(count, "--journal", str(path))[0] - start)
            raw.append(_raw(path, Path(folder, f"{nth}.raw")))
    ratio = round(min(raw) / min(kept), 2)
    return {
        "without": round(count / min(bare)),
        "with": round(count / min(kept)),
        "executemany": round(count / min(raw)),
        "of_executemany": ratio,
        "ok": ratio >= OF_RAW * (0.5 if short else 1.0),
    }


def resume(short: bool) -> Result:
    """100,000 finished workers that a resumed run does not run, against running them."""
    count = 20_000 if short else 100_000
    with tempfile.TemporaryDirectory() as folder:
        path, once = Path(folder, "run.journal"), Path(folder, "once")
        first = [*HOST, "--journal", str(path), SCRIPT, str(count), str(once)]
        began = time.perf_counter()
        assert subprocess.run(first, capture_output=True, check=False).returncode == 1
        ran = time.perf_counter() - began
        began = time.perf_counter()
        result, peak = run([*HOST, "resume", "--json", str(path)])
        seconds = time.perf_counter() - began
        with sqlite3.connect(path) as known:
            rows = known.execute("SELECT count(*), max(session) FROM ends WHERE task>1").fetchone()
    assert result["sum"] == count * (count + 1) // 2
    return {
        "workers": count,
        "run_seconds": round(ran, 2),
        "resume_seconds": round(seconds, 2),
        "peak_mb": round(peak),
        "ok": rows == (count, 1),  # none of them has run again
    }


def million(short: bool) -> Result:
    """A million workers: the file, the memory, and how soon show and tail have answered."""
    count = 100_000 if short else 1_000_000
    with tempfile.TemporaryDirectory() as folder:
        small, path = Path(folder, "small.journal"), Path(folder, "run.journal")
        fewer = max(count // 10, 50_000)  # what waits for the disk has its full length by then
        _, less = _run(fewer, "--journal", str(small))
        seconds, peak = _run(count, "--journal", str(path))
        took = {}
        for name, words in (("show", ["show", str(path)]), ("tail", ["tail", str(path), "T-1"])):
            began = time.perf_counter()
            subprocess.run([*HOST, *words], check=True, capture_output=True)
            took[name] = round(time.perf_counter() - began, 2)
        size = path.stat().st_size
    return {
        "workers": count,
        "seconds": round(seconds, 2),
        "file_mb": round(size / 1e6, 1),
        "bytes_a_worker": round(size / count),
        "peak_mb": round(peak),
        "peak_mb_of_fewer": round(less),
        **{f"{name}_seconds": value for name, value in took.items()},
        "ok": peak <= less * MOST_MEMORY
        and max(took.values()) <= QUICK_SECONDS * (2.0 if short else 1.0),
    }


BENCHMARKS = {"journal": journal, "resume": resume, "million": million}
