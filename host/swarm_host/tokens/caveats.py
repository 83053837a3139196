"""Caveats: what narrows a token. Each is a kind and a body; whoever holds a token can add one, and
nobody can take one away.

In bytes a caveat is one byte for its kind, two with the length of its body, and the body: a number
of eight bytes; texts in UTF-8, each with a zero byte behind it; or amounts, each a byte that says
of what and a double. All numbers are big-endian.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from typing import Any

MOST_CAVEATS = 64
MOST_ITEMS = 256
MOST_BODY = 16384
"""Bytes of one body."""

LISTS = {"verbs": 1, "paths": 2, "programs": 3, "hosts": 4}
"""Caveats that are lists of what is admitted. Verbs are names; paths, programs and hosts are
patterns, as bounds of roles have them."""
EXPIRES, USES, BUDGET = 5, 6, 7
AMOUNTS = ("cost", "tokens", "seconds")
MOST_USES = 2**32 - 1
MOST_SECONDS = 1e9

NAMES = (*LISTS, "ttl", "uses", "budget")
_LIST_OF = {kind: name for name, kind in LISTS.items()}
_HEAD, _NUMBER, _AMOUNT = (struct.Struct(form) for form in (">BH", ">Q", ">Bd"))


class Malformed(ValueError):
    """Bytes that are no token, or a caveat that is none; the text says what is wrong."""


Caveat = tuple[str, Any]
"""One caveat: its name and what it says. ``verbs``, ``paths``, ``programs``, ``hosts``: a list of
strings; ``expires``, ``uses``: a number (``expires`` in microseconds of Unix time); ``budget``:
amounts; ``unknown``: its kind, which this version does not know: whatever it is asked is refused.
(A plain tuple: each request has several made.)"""


def encode(caveats: Mapping[str, Any], now: float) -> list[bytes]:
    """The bytes of caveats, in the order of :data:`NAMES`.

    :param caveats: what is wished: ``verbs``, ``paths``, ``programs`` and ``hosts`` (lists of
        strings), ``ttl`` (seconds from now), ``uses`` (a count), ``budget`` (amounts).
    :param now: Unix time in seconds.
    :raises Malformed: there is no such caveat, or it is none.
    """
    for name in caveats:
        if name not in NAMES:
            from difflib import get_close_matches  # costs start-up

            close = get_close_matches(str(name), NAMES, 1)
            hint = f'; did you mean "{close[0]}"?' if close else f"; there are {', '.join(NAMES)}"
            raise Malformed(f'there is no caveat "{name}"{hint}')
    made = [_framed(LISTS[name], _list(name, caveats[name])) for name in LISTS if name in caveats]
    if "ttl" in caveats:
        seconds = _number("ttl", caveats["ttl"], MOST_SECONDS)
        made.append(_framed(EXPIRES, _NUMBER.pack(int((now + seconds) * 1e6))))
    if "uses" in caveats:
        uses = _number("uses", caveats["uses"], MOST_USES)
        if uses != int(uses):
            raise Malformed(f"uses must be a whole number, and is {uses:g}")
        made.append(_framed(USES, _NUMBER.pack(int(uses))))
    if "budget" in caveats:
        made.append(_framed(BUDGET, _amounts(caveats["budget"])))
    return made


def split(body: bytes) -> list[bytes]:
    """The bytes of each caveat, as they stand one after the other.

    :raises Malformed: they do not end with a caveat, or are too many.
    """
    bodies, at, end_of_all, head = [], 0, len(body), _HEAD
    while at < end_of_all:
        if at + 3 > end_of_all:
            raise Malformed("it ends within a caveat")
        end = at + 3 + head.unpack_from(body, at)[1]
        if end > end_of_all:
            raise Malformed("it ends within a caveat")
        bodies.append(body[at:end])
        at = end
    if len(bodies) > MOST_CAVEATS:
        raise Malformed(f"it has more than {MOST_CAVEATS} caveats")
    return bodies


def decode(body: bytes) -> Caveat:
    """What the bytes of one caveat say.

    :raises Malformed: it is none.
    """
    kind = body[0]
    if kind in _LIST_OF:
        try:
            *texts, last = body[3:].decode().split("\0")
        except UnicodeDecodeError:
            raise Malformed("a text in it is not UTF-8") from None
        if last or len(texts) > MOST_ITEMS:
            raise Malformed("a list in it is none")
        return _LIST_OF[kind], texts
    if kind in (EXPIRES, USES):
        if len(body) != 3 + _NUMBER.size:
            raise Malformed("a number in it is none")
        return "expires" if kind == EXPIRES else "uses", _NUMBER.unpack_from(body, 3)[0]
    if kind == BUDGET:
        if (len(body) - 3) % _AMOUNT.size:
            raise Malformed("a budget in it is none")
        amounts: dict[str, float] = {}
        for what, amount in _AMOUNT.iter_unpack(body[3:]):
            if what >= len(AMOUNTS) or AMOUNTS[what] in amounts or not 0 < amount < math.inf:
                raise Malformed("a budget in it is none")
            amounts[AMOUNTS[what]] = amount
        return "budget", amounts
    return "unknown", kind


def _framed(kind: int, body: bytes) -> bytes:
    if len(body) > MOST_BODY:
        raise Malformed(f"a caveat has at most {MOST_BODY} bytes")
    return _HEAD.pack(kind, len(body)) + body


def _list(name: str, value: Any) -> bytes:
    if not isinstance(value, (list, tuple)) or not all(isinstance(one, str) for one in value):
        raise Malformed(f'{name} must be a list of strings, such as {name} = {{ "..." }}')
    if len(value) > MOST_ITEMS:
        raise Malformed(f"{name} has at most {MOST_ITEMS} items, and there are {len(value)}")
    if any("\0" in one for one in value):
        raise Malformed(f"{name} has a text with a zero byte")
    try:
        return "".join(one + "\0" for one in value).encode()
    except UnicodeEncodeError:
        raise Malformed(f"{name} has a text that is not UTF-8") from None


def _number(name: str, value: Any, most: float) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value <= most:
        raise Malformed(f"{name} must be a number above zero and at most {most:g}")
    return value


def _amounts(value: Any) -> bytes:
    if not isinstance(value, Mapping) or not value:
        raise Malformed("budget must be amounts, such as budget = { cost = 5 }")
    made = b""
    for name, amount in value.items():
        if name not in AMOUNTS:
            raise Malformed(f'budget has no "{name}"; it has {", ".join(AMOUNTS)}')
        number = _number(f"budget.{name}", amount, 1e300)
        made += _AMOUNT.pack(AMOUNTS.index(name), number)
    return made
