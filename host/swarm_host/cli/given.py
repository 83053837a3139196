"""What a run is given from outside: the script by its path, and what ``--input`` gives to main.

What has a name among files and is none has no end (a device) or may keep who opens it waiting for
ever (a pipe). What the shell hands over as a descriptor, such as ``<(...)``, is meant so.
"""

from __future__ import annotations

import json
import math
import os
import select
import stat
import sys
import time
from pathlib import Path
from typing import Any, NoReturn

from swarm_host.cli.words import TIMED_OUT, first_fault, refuse

MOST = 256 * 1024 * 1024
"""Bytes of an input."""

_CHUNK = 1024 * 1024
_DESCRIPTORS = ("/dev/fd/", "/dev/stdin", "/proc/")
_KINDS = {
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def check_script(path: str) -> None:
    """Refuses a script that is a pipe by its name: who opens it waits for a writer."""
    kind = _kind_of(path)
    if kind == "a pipe":
        refuse(f"cannot read script {path}: it is {kind}, not a file")


def read_input(text: str, seconds: float | None) -> Any:
    """What ``--input`` names: JSON, ``@FILE`` or ``-``.

    :param seconds: how long reading it may take; None: as long as it takes.
    """
    source = "--input"
    try:
        if text == "-":
            source = "--input - (standard input)"
            raw = _read(sys.stdin.fileno() if sys.stdin else 0, source, seconds)
        elif text.startswith("@"):
            source = f"--input {text}"
            raw = _content(text[1:], source, seconds)
        else:
            raw = os.fsencode(text)
    except (OSError, ValueError) as problem:
        reason = getattr(problem, "strerror", None) or str(problem)
        refuse(f"{source}: cannot read it: {reason[:1].lower()}{reason[1:]}")
    try:
        decoded = raw.decode()
    except UnicodeDecodeError as problem:
        refuse(f"{source}: not UTF-8: {first_fault(problem)}")
    return _parsed(decoded, source)


def _kind_of(path: str) -> str | None:
    """What a path names among files that is none; None: a file, a folder, nothing, or what was
    handed over as a descriptor."""
    if path.startswith(_DESCRIPTORS):
        return None
    try:
        return _KINDS.get(stat.S_IFMT(Path(path).stat().st_mode))
    except (OSError, ValueError):
        return None


def _content(path: str, source: str, seconds: float | None) -> bytes:
    kind = _kind_of(path)
    if kind is not None:
        raise OSError(0, f"it is {kind}, not a file")
    file = os.open(path, os.O_RDONLY | os.O_NOCTTY | os.O_CLOEXEC)
    try:
        return _read(file, source, seconds)
    finally:
        os.close(file)


def _read(file: int, source: str, seconds: float | None) -> bytes:
    """All that comes, while there is time."""
    end = None if seconds is None else time.monotonic() + seconds
    poll = select.poll()
    poll.register(file, select.POLLIN)
    content = bytearray()
    while True:
        left = None if end is None else max(end - time.monotonic(), 0) * 1000
        if not poll.poll(left):
            refuse(f"--timeout {seconds:g}: {source} did not come to its end in time", TIMED_OUT)
        part = os.read(file, _CHUNK)
        if not part:
            return bytes(content)
        content += part
        if len(content) > MOST:
            raise OSError(0, f"it has more than {MOST >> 20} MiB, which is the most that is read")


def _parsed(text: str, source: str) -> Any:
    def no_constant(name: str) -> NoReturn:
        raise ValueError(f"{name} is not JSON")

    def number(digits: str) -> float:
        value = float(digits)
        if math.isinf(value):
            shown = digits if len(digits) <= 20 else f"{digits[:17]}..."
            raise ValueError(f"the number {shown} is too large")
        return value

    def whole_number(digits: str) -> int | float:
        value = number(digits)
        return value if abs(value) >= 1e300 else int(digits)

    try:
        return json.loads(
            text, parse_constant=no_constant, parse_float=number, parse_int=whole_number
        )
    except json.JSONDecodeError as problem:
        near = text[problem.pos : problem.pos + 20]
        shown = f" near {near!r}" if near else " (the text ends there)"
        hint = "" if "\n" in text or len(text) > 60 else f"; got {text!r}"
        where = f"line {problem.lineno}, column {problem.colno}"
        refuse(f"{source}: not JSON: {problem.msg.lower()} at {where}{shown}{hint}")
    except RecursionError:
        refuse(f"{source}: it is nested more than 100 levels deep, which is the most")
    except ValueError as problem:
        refuse(f"{source}: {problem}")
