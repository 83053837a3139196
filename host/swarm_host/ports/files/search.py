"""Files by a pattern: what ``swarm.fs.glob`` finds.

``*``, ``?`` and ``[…]`` stay within a folder, ``**`` crosses folders, links to folders too, but
never into one that it is in the middle of: a link that leads up finds nothing anew. Names with a
dot in front are left out unless the pattern has the dot. Within bounds only folders are looked into
that may lead to something admitted, so that no name of any other is told.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fnmatch import translate
from typing import NamedTuple

from swarm_host.ports.files import beneath
from swarm_host.ports.files.bounds import Bounds, admits, leads_to, refusal

_MAGIC = re.compile(r"[*?[]")

Identity = tuple[int, int]
"""Device and number: what a folder is, by whatever name."""


class Step(NamedTuple):
    """What is left to do: the rest of the pattern, in a folder.

    :ivar above: the folders that the present ``**`` is in the middle of.
    """

    folder: str
    parts: tuple[str, ...]
    above: tuple[Identity, ...] = ()


def files(pattern: str, bounds: Bounds | None, check: Callable[[], None]) -> list[str]:
    """The files that fit, sorted, each once; no folders.

    :param check: called for each folder; it raises where nobody waits any more.
    :raises PortError: ``role_violation``: with bounds, ``..`` behind a wildcard could tell which
        folders there are elsewhere.
    """
    prefix, parts = _split(pattern)
    if bounds is not None and ".." in parts:
        raise refusal(bounds, pattern)
    found = set() if parts else {pattern}
    left = [Step(prefix, parts)] if parts else []
    while left:
        check()
        step = left.pop()
        more, fits = _crossing(step, bounds) if step.parts[0] == "**" else _within(step, bounds)
        left += more
        found |= fits
    return sorted(path for path in found if _is_file(path, bounds))


def _split(pattern: str) -> tuple[str, tuple[str, ...]]:
    """The folder before the first wildcard, as it is spelled, and the names from there on."""
    wildcard = _MAGIC.search(pattern)
    if wildcard is None:
        return pattern, ()
    prefix = pattern[: pattern.rfind("/", 0, wildcard.start()) + 1]
    parts: list[str] = []
    for part in re.split("/+", pattern[len(prefix) :]):
        if part != "**" or parts[-1:] != ["**"]:
            parts.append(part)
    return (prefix.rstrip("/") + "/" if prefix.strip("/") else prefix), tuple(parts)


def _within(step: Step, bounds: Bounds | None) -> tuple[list[Step], set[str]]:
    """One name of the pattern, which is no ``**``."""
    part, rest = step.parts[0], step.parts[1:]
    if not _MAGIC.search(part):
        path = step.folder + part
        return ([Step(path + "/", rest)], set()) if rest else ([], {path})
    matches = re.compile(translate(part)).match
    names = [
        (name, is_folder)
        for name, is_folder in _names(step.folder, bounds)[1]
        if matches(name) and (part.startswith(".") or not name.startswith("."))
    ]
    if rest:
        return [
            Step(f"{step.folder}{name}/", rest) for name, is_folder in names if is_folder
        ], set()
    return [], {step.folder + name for name, is_folder in names if not is_folder}


def _crossing(step: Step, bounds: Bounds | None) -> tuple[list[Step], set[str]]:
    """A folder and, later on, all those in it."""
    rest = step.parts[1:]
    identity, names = _names(step.folder, bounds)
    if identity is None or identity in step.above:
        return [], set()
    shown = [(name, is_folder) for name, is_folder in names if not name.startswith(".")]
    above = (*step.above, identity)
    more = [
        Step(f"{step.folder}{name}/", step.parts, above) for name, is_folder in shown if is_folder
    ]
    if rest:
        return [*more, Step(step.folder, rest)], set()
    return more, {step.folder + name for name, is_folder in shown if not is_folder}


def _names(folder: str, bounds: Bounds | None) -> tuple[Identity | None, list[tuple[str, bool]]]:
    """What a folder is, and the names in it, each with whether it is a folder itself."""
    path = folder or "."
    real = None if bounds is None else os.path.realpath(path)
    if bounds is not None and real is not None and not leads_to(bounds, real):
        return None, []
    try:
        with _opened(path, real) as number:
            status = os.fstat(number)
            with os.scandir(number) as entries:
                names = [(entry.name, _is_folder(entry)) for entry in entries]
            return (status.st_dev, status.st_ino), names
    except (OSError, beneath.Swapped):
        return None, []  # what is no folder, or cannot be read, has no names


@contextmanager
def _opened(path: str, real: str | None) -> Iterator[int]:
    if real is None:
        with beneath.listed((None, path)) as number:
            yield number
        return
    folder = beneath.open_folder(real)
    try:
        with beneath.listed((folder, ".")) as number:
            yield number
    finally:
        os.close(folder)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def _is_file(path: str, bounds: Bounds | None) -> bool:
    """Whether it is there, no folder, and admitted."""
    if bounds is not None and not admits(bounds, path):
        return False
    return os.path.lexists(path) and not os.path.isdir(path)  # noqa: PTH112 - text
