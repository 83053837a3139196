"""Whether an audit is what was written: line after line, in the memory that one line takes."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO, NamedTuple

from swarm_host.audit.chain import Broken, Head, follow, read_line


class NoFile(Exception):
    """What is to be looked at is no regular file; the text says so."""


class Verified(NamedTuple):
    """What an audit that is sound has.

    :ivar head: its end.
    :ivar runs: how many runs began in it; one that was resumed is one.
    :ivar open: the run that began last and of which there is no end, or None: it goes on, was
        killed, or its end was cut off.
    """

    head: Head
    runs: int
    open: str | None


def verify(file: BinaryIO, wanted: str | None = None) -> Verified:
    """Looks at every line.

    :param wanted: the hash that the last line is to have: nothing was cut off at the end.
    :raises Broken: a line does not belong where it stands, or the last one is another one.
    :raises OSError: the file cannot be read.
    """
    head, open_run, seen = Head(), None, 0
    runs: set[str] = set()
    while line := read_line(file, head.lines + 1):
        members, head = follow(line, head)
        if members.get("type") == "run_started":
            open_run = str(members.get("run_id"))
            runs.add(open_run)
        elif members.get("type") == "run_ended":
            open_run = None
        if head.hash == wanted:
            seen = head.lines
    if head.lines == 0:
        raise Broken(1, "it is not there: the file is empty")
    if wanted is not None and head.hash != wanted:
        raise Broken(head.lines, _other_end(head, wanted, seen))
    return Verified(head, len(runs), open_run)


def _other_end(head: Head, wanted: str, seen: int) -> str:
    if seen:
        many = head.lines - seen
        return f"{wanted} is the hash of line {seen}: {many} more came after it, or were put there"
    return (
        f"the last line's hash is {head.hash}, not {wanted}: the end was cut off, or written anew"
    )


def verify_file(path: Path, wanted: str | None = None) -> Verified:
    """:func:`verify` of a file by its path.

    :raises NoFile: something else is there, such as a pipe, which may have no end.
    """
    with open(path, "rb", buffering=1 << 20, opener=_open_now) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise NoFile("it is no regular file; write what comes out of it into one first")
        return verify(file, wanted)


def _open_now(path: str, flags: int) -> int:
    """Opens a pipe as well without waiting for who writes into it."""
    return os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY)
