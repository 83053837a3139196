"""What it costs to show a run: at a terminal that takes all and looks at nothing."""

from __future__ import annotations

import json
import os
import pty
import re
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.bench.running import HERE, Result

COLUMNS, LINES = 100, 40


class Shown:
    """swarm-host at a terminal, until it has ended.

    :ivar pid: its process.
    :ivar said: all that it wrote.
    """

    def __init__(self, *words: str) -> None:
        self.pid, self._terminal = pty.fork()
        if self.pid == 0:
            os.chdir(HERE.parents[1])
            variables = {**os.environ, "TERM": "xterm", "CI": "", "COLUMNS": "", "LINES": ""}
            command = [sys.executable, "-m", "swarm_host", *words]
            os.execve(command[0], command, variables)
        import fcntl
        import struct
        import termios

        size = struct.pack("HHHH", LINES, COLUMNS, 0, 0)
        fcntl.ioctl(self._terminal, termios.TIOCSWINSZ, size)
        self.said = bytearray()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self._terminal, 1 << 20)
            except OSError:
                return
            if not data:
                return
            self.said += data

    def end(self) -> dict[str, Any]:
        """Waits for its end, and returns its result."""
        self._reader.join()
        _, status = os.waitpid(self.pid, 0)
        os.close(self._terminal)
        text = self.said.decode(errors="replace")
        assert status == 0, text[-2000:]
        found: dict[str, Any] = json.loads(re.findall(r"\{\"[a-z]+\":[^{}]*\}", text)[-1])
        return found


def view(short: bool) -> Result:
    """100,000 workers: at most 5 % more processor time with the tree than with nothing.

    The short form allows half as much again: it lasts about a second.
    """
    count, many, rounds = (30_000, 1_200_000, 3) if short else (100_000, 1_000_000, 5)
    found: Result = {"ok": True}
    for way in ("live", "churn"):
        times: dict[str, list[float]] = {"tree": [], "off": []}
        frames = 0
        for _ in range(rounds):
            for name, taken in times.items():
                words = ("--view", name, "--no-reload", str(HERE / "views.lua"), way)
                shown = Shown(*words, str(count if way == "live" else many))
                taken.append(shown.end()["seconds"])
                frames = max(frames, shown.said.count(b"\x1b[?2026h"))
        ratio = min(times["tree"]) / min(times["off"])
        found |= {
            f"{way}_seconds": round(min(times["tree"]), 3),
            f"{way}_off_seconds": round(min(times["off"]), 3),
            f"{way}_ratio": round(ratio, 3),
            f"{way}_frames": frames,
        }
        found["ok"] = found["ok"] and frames > 0 and ratio <= (1.5 if short else 1.05)
    return found


def said(short: bool) -> Result:
    """50 programs that write 1,000 lines a second each: the host's share of a core with the tree
    is 20 % at the most (short: of 15 programs). What the journal costs beside it is not counted."""
    programs, seconds, most = (15, 3, 0.2) if short else (50, 8, 0.2)
    words = ("--view", "tree", "--no-reload", "--no-journal", str(HERE / "said.lua"))
    shown = Shown(*words, str(programs), sys.executable, "1000", str(seconds + 3))
    time.sleep(2)  # they all have begun
    ticks, began = _ticks(shown.pid), time.monotonic()
    time.sleep(seconds)
    used = (_ticks(shown.pid) - ticks) / os.sysconf("SC_CLK_TCK")
    share = used / (time.monotonic() - began)
    assert shown.end() == {"ended": programs}
    assert b"line" in shown.said
    return {"programs": programs, "share": round(share, 3), "ok": share <= most}


def _ticks(pid: int) -> int:
    """The processor time of a process, in ticks."""
    fields = Path("/proc", str(pid), "stat").read_bytes().rpartition(b")")[2].split()
    return int(fields[11]) + int(fields[12])


BENCHMARKS: dict[str, Callable[[bool], Result]] = {"view": view, "said": said}
