"""Secrets of the host's environment, and how they are kept out of what comes back.

A secret is looked for as it is and as JSON may spell it, for that is what programs and servers wrap
things in: with escapes for quotes, line breaks, ``/`` and anything else, and with more backslashes
where JSON stands in JSON. So a string that is decoded afterwards has no more of it than the text.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from functools import lru_cache

from swarm_host.ports.contract import PortError

MASK = b"***"

LINE = 8
"""Bytes from which on a line of a secret is looked for by itself: keys are told line by line."""

HEAD = 4
"""Characters by which places are found where a closer look is worth while."""

DEEP = 8
"""Backslashes that may stand for one: JSON in JSON in JSON has so many."""

TAIL = HEAD * 2 * (DEEP + len("u0000"))
"""Bytes that the first characters may be spelled with."""

_LETTERS = {ord("b"): 8, ord("t"): 9, ord("n"): 10, ord("f"): 12, ord("r"): 13}
_LINES = re.compile(rb"\r?\n|\r|\\r?\\n|\\n")
_BACKSLASHES = re.compile(rb"\\*")
_U = ord("u")
_NUMBERED = b"u005c"
"""A backslash by its number."""


def reveal(name: str, who: str) -> bytes:
    """The value of a secret, read now.

    :param name: the variable of the host's environment.
    :param who: who wants it, for the message.
    :raises PortError: it is not set.
    """
    value = os.environb.get(os.fsencode(name))
    if value is None:
        raise PortError(
            "process_failed",
            f'{who}: the secret "{name}" is not set in the environment of swarm-host: '
            f"export {name} before it starts",
        )
    return value


class _Open(Exception):
    """The text ends within what may be a secret."""


def _end(secret: bytes, text: bytes, start: int, *, last: bool) -> int | None:
    """Where a secret ends that begins at a place of the text; None where it does not.

    :param last: nothing comes after the text.
    :raises _Open: the text ends first.
    """
    end = start + len(secret)
    here = text[start:end]
    if here == secret:
        more = secret.endswith(b"\\") and text[end : end + 1]  # it may be spelled with two
        if more is False or (more == b"" and last) or more not in (b"", b"\\"):
            return end
        if more == b"":
            raise _Open
    elif start + len(here) == len(text) and secret.startswith(here):
        raise _Open
    at, done = start, 0
    while done < len(secret):
        until = at + len(secret) - done
        escape = text.find(b"\\", at, until)
        plain = text[at : until if escape < 0 else escape]
        if not secret.startswith(plain, done):
            return None
        at, done = at + len(plain), done + len(plain)
        if done < len(secret):
            if at == len(text):
                raise _Open
            step = _escaped(secret, done, text, at, last=last)
            if step is None:
                return None
            at, done = step
    return at


def _escaped(
    secret: bytes, done: int, text: bytes, at: int, *, last: bool
) -> tuple[int, int] | None:
    """The same for backslashes in the text and what they escape, and where both go on."""
    here, wanted = _run(text, at), _run(secret, done)
    whole = done + wanted == len(secret)
    if here > DEEP * (wanted + 1):
        return None
    if at + here == len(text) and not (whole and here >= wanted and (last or here >= 2 * wanted)):
        raise _Open
    number = text[at + here : at + here + len(_NUMBERED)].lower()
    cut = at + here + len(number) == len(text) and number != _NUMBERED
    if wanted and cut and not last and _NUMBERED.startswith(number):
        raise _Open
    if wanted and number == _NUMBERED:
        return at + here + 5, done + 1
    if here < wanted:
        return None
    at, done = at + here, done + wanted
    if whole:
        return at - max(0, here - 2 * wanted), done
    letter, is_escape = text[at], here > wanted
    if letter == secret[done] and (wanted or letter in b'"/'):
        return at + 1, done + 1
    if is_escape and _LETTERS.get(letter) == secret[done]:
        return at + 1, done + 1
    if is_escape and letter == _U:
        return _numbered(secret, done, text, at)
    return None


def _numbered(secret: bytes, done: int, text: bytes, at: int) -> tuple[int, int] | None:
    """The same for ``u`` and four digits, twice where a character needs two."""
    unit = _unit(text, at)
    units = [] if unit is None else [unit]
    at += 5
    if unit is not None and 0xD800 <= unit < 0xDC00:
        at += _run(text, at)
        second = _unit(text, at)
        at += 5
        if second is None:
            return None
        units.append(second)
    spelled = b"".join(number.to_bytes(2, "big") for number in units)
    char = spelled.decode("utf-16-be", errors="replace").encode()
    return (at, done + len(char)) if char and secret.startswith(char, done) else None


def _unit(text: bytes, at: int) -> int | None:
    digits = text[at : at + 5]
    if len(digits) < 5 and b"u0000".startswith(digits[:1]) and len(text) == at + len(digits):
        raise _Open
    return int(digits[1:], 16) if re.fullmatch(rb"u[0-9a-fA-F]{4}", digits) else None


def _run(text: bytes, at: int) -> int:
    match = _BACKSLASHES.match(text, at)
    return match.end() - at if match else 0


def _ways(char: bytes) -> list[bytes]:
    """Expressions for how one character may be spelled."""
    more = rb"\\\\{0,%d}" % (DEEP - 1)
    ways = [re.escape(char)]
    letter = next((letter for letter, code in _LETTERS.items() if char == bytes([code])), None)
    if letter is not None:
        ways.append(more + bytes([letter]))
    elif char in (b'"', b"/"):
        ways.append(more + char)
    units = char.decode(errors="replace").encode("utf-16-be").hex()
    each = [units[i : i + 4].encode() for i in range(0, len(units), 4)]
    return [*ways, b"".join(more + b"u(?i:%s)" % unit for unit in each)]


def _head(secret: bytes) -> list[bytes]:
    """Expressions for how a secret may begin; each begins with one byte and no choice."""
    chars = [char.encode(errors="surrogateescape") for char in _text(secret)[:HEAD]]
    if chars[0] == b"\\":
        return [rb"\\"]
    if b"\\" in chars:
        chars = chars[: chars.index(b"\\")]
    rest = b"".join(b"(?:%s)" % b"|".join(_ways(char)) for char in chars[1:])
    return [way + rest for way in _ways(chars[0])]


def _text(secret: bytes) -> str:
    return secret.decode(errors="surrogateescape")


@lru_cache(maxsize=64)
def _sought(values: frozenset[bytes]) -> tuple[list[bytes], re.Pattern[bytes], bytes]:
    """What is looked for, longest first, how any of it may begin, and with which bytes."""
    parts = {part for value in values for part in (value, value.strip())}
    for value in values:
        lines = [line.strip() for line in _LINES.split(value)]
        parts |= {line for line in lines if len(line) >= LINE}
    secrets = sorted(filter(None, parts), key=lambda part: (-len(part), part))
    heads = re.compile(b"|".join(dict.fromkeys(way for one in secrets for way in _head(one))))
    return secrets, heads, b"\\" + bytes({one[0] for one in secrets})


class Mask:
    """Replaces secrets in a stream of bytes, also where one comes in several pieces.

    :param values: the secrets; empty ones are left out.
    """

    def __init__(self, values: Iterable[bytes]) -> None:
        self._values = frozenset(filter(None, values))
        self._secrets, self._heads, self._firsts = _sought(self._values)
        self._kept = b""

    @property
    def hides(self) -> bool:
        """Whether there is anything to hide."""
        return bool(self._secrets)

    def another(self) -> Mask:
        """A mask of the same secrets for another stream."""
        return Mask(self._values)

    def whole(self, text: bytes) -> bytes:
        """A text that comes in one piece, masked."""
        mask = self.another()
        return mask.feed(text) + mask.rest()

    def feed(self, data: bytes) -> bytes:
        """What of the stream so far can be told, masked; the beginning of a secret is kept."""
        if not self._secrets:
            return data
        text = self._kept + data
        told, held = self._masked(text, self._beginning(text, 0))
        self._kept = text[held:]
        return told

    def rest(self) -> bytes:
        """What was kept, at the stream's end."""
        kept, self._kept = self._kept, b""
        return self._masked(kept, None)[0] if self._secrets else kept

    def _masked(self, text: bytes, held: int | None) -> tuple[bytes, int]:
        """The text up to where a secret may begin that is not whole yet; None: nothing follows."""
        told, told_to, at = [], 0, 0
        last = held is None
        while head := self._heads.search(text, at):
            start = head.start()
            if held is not None and start >= held:
                break
            end = self._match(text, start, last=last)
            if end is None:
                at = start + 1
            elif end < 0:
                held = start
                break
            else:
                told += [text[told_to:start], MASK]
                told_to = at = end
                if held is not None and held < end:
                    held = self._beginning(text, end)
        held = len(text) if held is None else held
        return b"".join((*told, text[told_to:held])), held

    def _match(self, text: bytes, start: int, *, last: bool) -> int | None:
        """Where the longest secret ends that begins here; -1: the text ends first."""
        for secret in self._secrets:
            try:
                end = _end(secret, text, start, last=last)
            except _Open:
                if not last:
                    return -1
            else:
                if end is not None:
                    return end
        return None

    def _beginning(self, text: bytes, start: int) -> int:
        """Where the first piece at the text's end is that may become a secret."""
        for at in range(max(start, len(text) - TAIL), len(text)):
            if text[at] in self._firsts and self._match(text, at, last=False) == -1:
                return at
        return len(text)
