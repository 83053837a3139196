"""What is given from outside: a script by its path, what ``--input`` gives to main, and ``INPUT``
of ``swarm-host spawn`` to a worker.

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
    decoded, source = _given(text, "--input", seconds)
    return _parsed(decoded, source)


def read_json_or_text(text: str, what: str, *, as_text: bool) -> Any:
    """What a word names that may be a text: the word itself, ``@FILE`` or ``-``. It is JSON, or,
    where it is none and does not begin with ``{`` or ``[``, a text.

    :param what: the word's name, for messages.
    :param as_text: it is a text, whatever it looks like.
    """
    decoded, source = _given(text, what, None)
    if as_text:
        return decoded
    if decoded.lstrip().startswith(("{", "[")):
        hint = f"\n{what} that begins with {{ or [ is JSON: with --text it is a text"
        return _parsed(decoded, source, hint)
    try:
        return _json(decoded)
    except ValueError:
        return decoded


def read_value(text: str, *, as_json: bool) -> Any:
    """What ``VALUE`` of ``swarm-host answer`` says; ``-`` is standard input, without the end of its
    last line.

    :param as_json: it is JSON; else a text.
    """
    if text == "-":
        decoded, source = _given(text, "VALUE", None)
        decoded = decoded.removesuffix("\n")
    else:
        decoded, source = _decoded(os.fsencode(text), "VALUE"), "VALUE"
    if not as_json:
        return decoded
    return _parsed(decoded, source, "\nthe question has a schema: its answer is JSON")


def _given(text: str, what: str, seconds: float | None) -> tuple[str, str]:
    """The text that a word names, and what the source of it is called."""
    source = what
    try:
        if text == "-":
            source = f"{what} - (standard input)"
            raw = _read(sys.stdin.fileno() if sys.stdin else 0, source, seconds)
        elif text.startswith("@"):
            source = f"{what} {text}"
            raw = _content(text[1:], source, seconds)
        else:
            raw = os.fsencode(text)
    except (OSError, ValueError) as problem:
        reason = getattr(problem, "strerror", None) or str(problem)
        refuse(f"{source}: cannot read it: {reason[:1].lower()}{reason[1:]}")
    return _decoded(raw, source), source


def _decoded(raw: bytes, source: str) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError as problem:
        refuse(f"{source}: not UTF-8: {first_fault(problem)}")


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


def _json(text: str) -> Any:
    """What JSON says.

    :raises ValueError: it is none, or has a number that is too large.
    :raises RecursionError: it is nested too deep.
    """

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

    return json.loads(text, parse_constant=no_constant, parse_float=number, parse_int=whole_number)


def _parsed(text: str, source: str, hint: str = "") -> Any:
    try:
        return _json(text)
    except json.JSONDecodeError as problem:
        near = text[problem.pos : problem.pos + 20]
        shown = f" near {near!r}" if near else " (the text ends there)"
        got = "" if "\n" in text or len(text) > 60 else f"; got {text!r}"
        where = f"line {problem.lineno}, column {problem.colno}"
        refuse(f"{source}: not JSON: {problem.msg.lower()} at {where}{shown}{got}{hint}")
    except RecursionError:
        refuse(f"{source}: it is nested more than 100 levels deep, which is the most")
    except ValueError as problem:
        refuse(f"{source}: {problem}{hint}")
