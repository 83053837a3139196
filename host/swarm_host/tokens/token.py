"""Tokens: who may do what, bound by a chain of HMAC-SHA256.

A token is a head, caveats and the end of a chain: the first link is the HMAC of the head under the
key, each further one that of a caveat under the link before. Who has a token has the last link, and
so can add a caveat; to take one away is to find the link before, which is what HMAC forbids. The
scheme is that of macaroons (Birgisson and others, NDSS 2014), all caveats being first-party.

In bytes: the length of the head (two), the head, the caveats (:mod:`.caveats`), the last link (32).
The head: version (one), key id (eight), nonce (16), times of issue and expiry (eight each,
microseconds of Unix time), uses (four; 0: no limit), attempt (four), then agent, role, task and
run, each with its length (two). As text ``swt1_`` and base64url without padding, in its one
spelling.
"""

from __future__ import annotations

import binascii
import hashlib
import hmac
import os
import re
import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from typing import Any, NamedTuple

try:  # what hmac.digest comes to, which takes a fifth longer to ask first
    from _hashlib import hmac_digest as _digest
except ImportError:
    from hmac import digest as _digest  # type: ignore[assignment]

from swarm_host.tokens import caveats as _caveats
from swarm_host.tokens.caveats import Caveat, Malformed

PREFIX = "swt1_"
MOST_TEXT = 65536
"""Characters of a token."""

VERSION = 1
LINK = 32
_NAMES = 4
_DOMAIN_HEAD, _DOMAIN_CAVEAT = b"swarm-host token 1 head\0", b"swarm-host token 1 caveat\0"
_FIXED = struct.Struct(">B8s16sQQII")
_SIZE = struct.Struct(">H")
_TEXT = re.compile(r"[A-Za-z0-9_-]+")


class Token(NamedTuple):
    """A token, taken apart; nothing says yet that it is genuine (:meth:`links`).

    :ivar key_id: which key it says that it was made with.
    :ivar nonce: 16 random bytes.
    :ivar issued: when, in microseconds of Unix time.
    :ivar expires: until when it is good; caveats may say less.
    :ivar uses: how often it may be used; 0: without limit.
    :ivar attempt: of the task.
    :ivar agent: the name of the worker that it was made for.
    :ivar role: the worker's.
    :ivar task: the task's id.
    :ivar run: the run's id; empty: no other run has the key.
    :ivar caveats: in the order in which they were added.
    :ivar head: the bytes of all this but the caveats, ``bodies`` those of each caveat, and ``end``
        the last link of its chain.
    """

    key_id: bytes
    nonce: bytes
    issued: int
    expires: int
    uses: int
    attempt: int
    agent: str
    role: str
    task: str
    run: str
    caveats: tuple[Caveat, ...]
    head: bytes
    bodies: tuple[bytes, ...]
    end: bytes

    def links(self, key: bytes) -> list[bytes] | None:
        """The links of its chain, one for the head and one for each caveat; None: it was not made
        with this key, or has been changed since."""
        link = _first(key, self.head)
        links = [link]
        for body in self.bodies:
            link = _digest(link, _DOMAIN_CAVEAT + body, "sha256")
            links.append(link)
        return links if hmac.compare_digest(link, self.end) else None


def mint(
    key: bytes,
    *,
    agent: str,
    role: str,
    task: str,
    attempt: int,
    issued: float,
    expires: float,
    uses: int = 0,
    run: str = "",
) -> str:
    """Makes a token.

    :param issued: and ``expires``: Unix time in seconds.
    :raises Malformed: a name is too long.
    """
    names = [text.encode(errors="replace") for text in (agent, role, task, run)]
    if any(len(name) > 0xFFFF for name in names):
        raise Malformed("a name is too long for a token")
    head = _FIXED.pack(
        VERSION,
        key_id(key),
        os.urandom(16),
        int(issued * 1e6),
        int(expires * 1e6),
        uses,
        attempt,
    ) + b"".join(_SIZE.pack(len(name)) + name for name in names)
    return _spelled(_SIZE.pack(len(head)) + head + _first(key, head))


def attenuate(text: str, caveats: Mapping[str, Any], now: float) -> str:
    """A token that may do less; no key is needed for that.

    :param text: a token.
    :param caveats: as :func:`swarm_host.tokens.caveats.encode` takes them.
    :param now: Unix time in seconds, from which ``ttl`` counts.
    :raises Malformed: it is no token, or there is no such caveat.
    """
    head, bodies, link = _parts(text)
    added = _caveats.encode(caveats, now)
    if len(added) + len(bodies) > _caveats.MOST_CAVEATS:
        raise Malformed(f"a token has at most {_caveats.MOST_CAVEATS} caveats")
    for body in added:
        link = _next(link, body)
    return _spelled(b"".join((_SIZE.pack(len(head)), head, *bodies, *added, link)))


def read(text: str) -> Token:
    """Takes a token apart.

    :raises Malformed: it is none.
    """
    head, bodies, link = _parts(text)
    if len(head) < _FIXED.size + _NAMES * _SIZE.size:
        raise Malformed("it is cut off")
    version, key, nonce, issued, expires, uses, attempt = _FIXED.unpack_from(head)
    if version != VERSION:
        raise Malformed(f"its version is {version}, and this one knows {VERSION} only")
    names, at = [], _FIXED.size
    for _ in range(_NAMES):
        if at + _SIZE.size > len(head):
            raise Malformed("its head is cut off")
        (length,) = _SIZE.unpack_from(head, at)
        at += _SIZE.size + length
        if at > len(head):
            raise Malformed("its head is cut off")
        try:
            names.append(head[at - length : at].decode())
        except UnicodeDecodeError:
            raise Malformed("a name in it is not UTF-8") from None
    if at != len(head):
        raise Malformed("its head is too long")
    agent, role, task, run = names
    return Token(
        key,
        nonce,
        issued,
        expires,
        uses,
        attempt,
        agent,
        role,
        task,
        run,
        tuple(map(_caveats.decode, bodies)),
        head,
        tuple(bodies),
        link,
    )


def _parts(text: str) -> tuple[bytes, list[bytes], bytes]:
    """The head of a token, the bytes of its caveats, and the last link of its chain.

    :raises Malformed: it is no token.
    """
    data = _bytes(text)
    if len(data) < _SIZE.size:
        raise Malformed("it is cut off")
    start, end = _SIZE.size + _SIZE.unpack_from(data)[0], len(data) - LINK
    if start > end:
        raise Malformed("it is cut off")
    return data[_SIZE.size : start], _caveats.split(data[start:end]), data[end:]


def key_id(key: bytes) -> bytes:
    """What tells a key from others, and nothing of it."""
    return hashlib.sha256(b"swarm-host token key id\0" + key).digest()[:8]


def fingerprint(text: str) -> str:
    """What names a token in logs: nobody can make the token of it."""
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()[:12]


def _first(key: bytes, head: bytes) -> bytes:
    return _digest(key, _DOMAIN_HEAD + head, "sha256")


def _next(link: bytes, body: bytes) -> bytes:
    return _digest(link, _DOMAIN_CAVEAT + body, "sha256")


def _spelled(data: bytes) -> str:
    text = PREFIX + urlsafe_b64encode(data).rstrip(b"=").decode()
    if len(text) > MOST_TEXT:
        raise Malformed(f"a token has at most {MOST_TEXT} characters")
    return text


def _bytes(text: str) -> bytes:
    if not text.startswith(PREFIX):
        raise Malformed(f"it does not begin with {PREFIX}")
    body = text[len(PREFIX) :]
    if len(text) > MOST_TEXT or not _TEXT.fullmatch(body):
        raise Malformed("it has characters that are not of a token, or too many")
    try:
        data = urlsafe_b64decode(body + "=" * (-len(body) % 4))
    except binascii.Error:
        raise Malformed("it is cut off") from None
    rest = len(body) % 4
    last = urlsafe_b64encode(data[len(data) - len(data) % 3 :])[:rest].decode()
    if rest and not body.endswith(last):  # bits that say nothing might be anything
        raise Malformed("it is spelled in another way than tokens are")
    return data
