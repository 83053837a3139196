"""The chain of an audit's lines.

A line is one JSON object. It begins with its number, ``n``, from 1, and with ``prev``, the hash of
the line before it (zeros in the first); it ends with ``hash``: the SHA-256 of the line's own bytes
without that member and without the line feed. So whoever changes, takes away, adds or moves a line
has to write all that come after it anew, and the last hash becomes another one.
"""

from __future__ import annotations

import json
import re
from hashlib import sha256
from typing import Any, BinaryIO, NamedTuple

START = "0" * 64
"""What stands in place of the hash of the line before the first."""

MOST_LINE = 64 << 20
"""Bytes of a line."""

TORN = "it is torn: who wrote it was killed meanwhile, or the end of the file was cut off"

_END = re.compile(rb',"hash":"([0-9a-f]{64})"\}\Z')


class Head(NamedTuple):
    """The end of a chain.

    :ivar lines: how many there are.
    :ivar hash: of the last one.
    """

    lines: int = 0
    hash: str = START


class Broken(Exception):
    """A line does not belong where it stands; the text says why.

    :ivar line: its number, from 1.
    """

    def __init__(self, line: int, why: str) -> None:
        super().__init__(why)
        self.line = line


def chained(rows: list[bytes], head: Head) -> tuple[bytes, Head]:
    """Makes lines of rows.

    :param rows: each a JSON object with at least one member.
    :return: the lines, and the chain's new end.
    """
    number, prev = head.lines, head.hash.encode()
    lines = []
    for row in rows:
        number += 1
        line = b'{"n":%d,"prev":"%b",%b' % (number, prev, row[1:])
        prev = sha256(line).hexdigest().encode()
        lines.append(b'%b,"hash":"%b"}\n' % (line[:-1], prev))
    return b"".join(lines), Head(number, prev.decode())


def read_line(file: BinaryIO, number: int) -> bytes:
    """Reads a line.

    :param number: which, from 1, for the message.
    :return: it, without its line feed; empty at the end.
    :raises Broken: it is torn, or too long.
    """
    line = file.readline(MOST_LINE + 1)
    if line.endswith(b"\n"):
        return line[:-1] or b" "  # an empty line is one
    if len(line) > MOST_LINE:
        raise Broken(number, f"it is longer than {MOST_LINE >> 20} MiB, as no line of an audit is")
    if line:
        raise Broken(number, TORN)
    return line


def follow(line: bytes, head: Head) -> tuple[dict[str, Any], Head]:
    """Looks whether a line is the next of a chain.

    :param line: without its line feed.
    :return: its members, and the chain's new end.
    :raises Broken: it is not.
    """
    number = head.lines + 1
    said = _END.search(line)
    if said is None:
        raise Broken(number, "it is no line of an audit: there is no hash at its end")
    if sha256(b"%b}" % line[: said.start()]).hexdigest().encode() != said[1]:
        raise Broken(number, "it was changed: its hash is not that of what it says")
    members = _members(line)
    if "n" not in members or "prev" not in members:
        raise Broken(number, "it is no line of an audit: n and prev are missing")
    n = members["n"]
    if n != number:
        raise Broken(number, f"it says that it is line {n}: {_moved(n, number)}")
    if members["prev"] != head.hash:
        raise Broken(number, "it does not follow the line before it: that is not what it was")
    return members, Head(number, said[1].decode())


def _moved(n: Any, number: int) -> str:
    if isinstance(n, int) and n > number:
        return "lines before it were removed, or moved behind it"
    return "lines before it were inserted, or it was moved"


def _members(line: bytes) -> dict[str, Any]:
    try:
        members = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return members if isinstance(members, dict) else {}


def end_of(file: BinaryIO, size: int) -> Head:
    """The end of a chain, by its last line, which must follow the one before it.

    :param size: of the file, not 0.
    :raises Broken: it does not, or it is torn. Its number is 0 where it is not known.
    """
    before, last, rest = _last_lines(file, size)
    if rest:
        raise Broken(0, TORN)
    number, prev = _members(last).get("n"), START
    if not isinstance(number, int) or number < 1:
        raise Broken(0, "it is no line of an audit")
    if number > 1:
        ended = _END.search(before)
        prev = ended[1].decode() if ended else ""
    return follow(last, Head(number - 1, prev))[1]


def _last_lines(file: BinaryIO, size: int) -> tuple[bytes, bytes, bytes]:
    """The last two lines of a file, and what comes after the last line feed."""
    start, block, text = size, 65536, b""
    while start > 0 and text.count(b"\n") < 3 and len(text) < 2 * MOST_LINE:
        end, start = start, max(0, start - block)
        file.seek(start)
        text = file.read(end - start) + text
        block *= 2
    lines = text.split(b"\n")
    return lines[-3] if len(lines) > 2 else b"", lines[-2] if len(lines) > 1 else b"", lines[-1]
