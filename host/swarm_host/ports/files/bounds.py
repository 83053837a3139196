"""Bounds on paths: whether what a role allows admits a file, with symbolic links resolved."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from swarm_host.ports.contract import PortError

Bounds = Sequence[Sequence[str]]
"""Lists of patterns; each list must admit what is asked for."""

ANY_NAME = "\0"
"""Stands for a file of any name: no real one has this, and what admits it admits every name."""

DEEP = 64
"""So many folders down, and a pattern that admits any name there crosses folders."""


@lru_cache(maxsize=512)
def _parts(pattern: str, base: str) -> tuple[str, str]:
    """A pattern's resolved beginning, and what follows from its first wildcard's folder on."""
    pattern = os.path.join(base, os.path.expanduser(pattern))  # noqa: PTH111, PTH118 - text
    wildcard = re.search(r"[*?]", pattern)
    fixed_end = pattern.rfind("/", 0, wildcard.start()) if wildcard else len(pattern)
    return os.path.realpath(pattern[:fixed_end] or "/").rstrip("/"), pattern[fixed_end:]


def _expression(glob: str) -> str:
    out = []
    for token in re.findall(r"/\*\*(?=/|$)|\*\*|\*|\?|[^*?/]+|/", glob):
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
    return "".join(out)


@lru_cache(maxsize=512)
def _regex(pattern: str, base: str) -> re.Pattern[str]:
    """A glob as a regular expression over resolved paths.

    ``*`` and ``?`` stay within a folder, ``**`` crosses folders; ``src/**`` admits ``src`` itself.
    The part of the pattern before its first wildcard is resolved like any path.
    """
    fixed, rest = _parts(pattern, base)
    return re.compile(re.escape(fixed) + _expression(rest) or "/", re.DOTALL)


@lru_cache(maxsize=512)
def _steps(pattern: str, base: str) -> list[re.Pattern[str] | None]:
    """A glob folder by folder; from None on it crosses folders."""
    fixed, rest = _parts(pattern, base)
    steps: list[re.Pattern[str] | None] = [
        re.compile(re.escape(name)) for name in fixed.split("/")[1:]
    ]
    for glob in rest.split("/")[1:]:
        steps.append(None if "**" in glob else re.compile(_expression(glob), re.DOTALL))
    return steps


def _leads(steps: list[re.Pattern[str] | None], names: list[str]) -> bool:
    for depth, name in enumerate(names):
        if depth == len(steps):
            return False
        step = steps[depth]
        if step is None:
            return True
        if not step.fullmatch(name):
            return False
    return True


def admits_resolved(bounds: Bounds, real: str) -> bool:
    """Whether every list of patterns has one that a path without links matches."""
    base = os.path.realpath(".")
    return all(any(_regex(one, base).fullmatch(real) for one in several) for several in bounds)


def admits(bounds: Bounds, path: str) -> bool:
    """Whether every list of patterns has one that the resolved path matches."""
    return admits_resolved(bounds, os.path.realpath(path))


def admits_below(bounds: Bounds, real: str) -> bool:
    """Whether a folder is admitted with all that may be in it, however deep."""
    below = [f"{real}/{'/'.join([ANY_NAME] * depth)}" for depth in (1, 2, DEEP)]
    return all(admits_resolved(bounds, path) for path in (real, *below))


def leads_to(bounds: Bounds, real: str) -> bool:
    """Whether in a folder, or below it, there may be something that the bounds admit."""
    base = os.path.realpath(".")
    names = [name for name in real.split("/") if name]
    return all(any(_leads(_steps(one, base), names) for one in several) for several in bounds)


def refusal(bounds: Bounds, path: str) -> PortError:
    """What is raised for a path that is out of bounds; the bridge adds role and verb."""
    allowed = " and ".join(", ".join(several) for several in bounds)
    text = f"{path} is out of bounds: the role allows {allowed}"
    real = os.path.realpath(path)
    for one in dict.fromkeys(pattern for several in bounds for pattern in several):
        if Path(one).is_dir() and real.startswith(f"{os.path.realpath(one)}/"):
            text += f'; for what is in {one} it needs "{one.rstrip("/")}/**"'
            break
    return PortError("role_violation", text, path=path)
