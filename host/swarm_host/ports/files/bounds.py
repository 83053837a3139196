"""Bounds on paths: whether what a role allows admits a file, with symbolic links resolved."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from functools import lru_cache

from swarm_host.ports.contract import PortError

Bounds = Sequence[Sequence[str]]
"""Lists of patterns; each list must admit what is asked for."""


@lru_cache(maxsize=512)
def _regex(pattern: str, base: str) -> re.Pattern[str]:
    """A glob as a regular expression over resolved paths.

    ``*`` and ``?`` stay within a folder, ``**`` crosses folders; ``src/**`` admits ``src`` itself.
    The part of the pattern before its first wildcard is resolved like any path.
    """
    pattern = os.path.join(base, os.path.expanduser(pattern))  # noqa: PTH111, PTH118 - text
    wildcard = re.search(r"[*?]", pattern)
    fixed_end = pattern.rfind("/", 0, wildcard.start()) if wildcard else len(pattern)
    fixed, rest = os.path.realpath(pattern[:fixed_end] or "/"), pattern[fixed_end:]
    out = [re.escape(fixed.rstrip("/"))]
    for token in re.findall(r"/\*\*(?=/|$)|\*\*|\*|\?|[^*?/]+|/", rest):
        if token == "/**":
            out.append("(?:/.*)?")
        elif token == "**":
            out.append(".*")
        elif token == "*":
            out.append("[^/]*")
        elif token == "?":
            out.append("[^/]")
        else:
            out.append(re.escape(token))
    return re.compile("".join(out) or "/", re.DOTALL)


def admits(bounds: Bounds, path: str) -> bool:
    """Whether every list of patterns has one that the resolved path matches."""
    base = os.path.realpath(".")
    real = os.path.realpath(path)
    return all(any(_regex(one, base).fullmatch(real) for one in several) for several in bounds)


def check_path(bounds: Bounds | None, path: str) -> None:
    """Refuses a path that is out of bounds.

    :raises PortError: ``role_violation`` with ``path``; the bridge adds role and verb.
    """
    if bounds is not None and not admits(bounds, path):
        allowed = " and ".join(", ".join(several) for several in bounds)
        raise PortError(
            "role_violation", f"{path} is out of bounds: the role allows {allowed}", path=path
        )
