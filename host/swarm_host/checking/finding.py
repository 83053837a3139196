"""What is found: a message at a place, under a name that stays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """Something that is wrong, or looks so.

    :ivar path: the file, as the author calls it.
    :ivar line: from 1.
    :ivar column: of characters, from 1; 0 where only the line is known.
    :ivar id: the rule's name, which stays the same from version to version.
    :ivar length: of what is meant, in characters.
    :ivar notes: further lines, such as the frames of an error.
    :ivar in_bytes: the column is one of bytes, as Lua counts.
    """

    path: str
    line: int
    column: int
    severity: Severity
    id: str
    message: str
    length: int = 1
    notes: tuple[str, ...] = ()
    in_bytes: bool = False
