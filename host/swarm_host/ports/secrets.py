"""Secrets of the host's environment, and how they are kept out of what children say."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable

from swarm_host.ports.contract import PortError

MASK = b"***"


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


class Mask:
    """Replaces secrets in a stream of bytes, also where one comes in several pieces.

    :param values: the secrets; empty ones are left out.
    """

    def __init__(self, values: Iterable[bytes]) -> None:
        found = {part for value in values for part in (value, value.strip()) if part}
        self._secrets = sorted(found, key=len, reverse=True)
        self._pattern = re.compile(b"|".join(map(re.escape, self._secrets)))
        self._kept = b""

    def another(self) -> Mask:
        """A mask of the same secrets for another stream."""
        return Mask(self._secrets)

    def feed(self, data: bytes) -> bytes:
        """What of the stream so far can be told, masked; the beginning of a secret is kept."""
        if not self._secrets:
            return data
        text = self._kept + data
        told, at = [], 0
        while True:
            hold = self._beginning(text, at)
            match = self._pattern.search(text, at)
            if match is None or match.start() >= hold:
                break
            told += [text[at : match.start()], MASK]
            at = match.end()
        told.append(text[at:hold])
        self._kept = text[hold:]
        return b"".join(told)

    def rest(self) -> bytes:
        """What was kept, at the stream's end."""
        kept, self._kept = self._kept, b""
        return self._pattern.sub(MASK, kept) if self._secrets else kept

    def _beginning(self, text: bytes, start: int) -> int:
        """Where the first piece at the text's end is that may become a secret."""
        longest = len(self._secrets[0])
        for at in range(max(start, len(text) - longest + 1), len(text)):
            end = text[at:]
            if any(len(end) < len(secret) and secret.startswith(end) for secret in self._secrets):
                return at
        return len(text)
