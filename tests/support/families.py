"""Processes that are known by a word on their command line, wherever they went."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

from tests.support.waiting import is_alive


def with_word(word: str) -> list[int]:
    """The processes that have a word among their arguments, this one and zombies aside."""
    found = []
    for entry in os.scandir("/proc"):
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            with suppress(OSError):
                if word.encode() in Path(entry.path, "cmdline").read_bytes():
                    found.append(int(entry.name))
    return [pid for pid in found if is_alive(pid)]


def wait_until_gone(word: str, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while left := with_word(word):
        assert time.monotonic() < deadline, [
            Path(f"/proc/{pid}/cmdline").read_bytes() for pid in left
        ]
        time.sleep(0.01)


def children_of(pid: int) -> list[int]:
    """The children that a process has, threads included."""
    found: list[int] = []
    with suppress(OSError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            found += map(int, (thread / "children").read_text().split())
    return found


def guardian_of(host: int) -> list[int]:
    """The processes of a host's guardian: the warden and the starter, as far as they are there."""
    for pid in children_of(host):
        with suppress(OSError):
            if b"guardian" in Path(f"/proc/{pid}/cmdline").read_bytes():
                return [pid, *children_of(pid)[:1]]
    return []
