"""Which spec files there are, and which of their specs are meant."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from swarm_host.testing.specs import Spec

ENDING = "_spec.lua"

_LEFT_OUT = {"node_modules", "__pycache__", "lua_modules", "venv", "env", "site-packages"}


class NothingMeant(Exception):
    """A path or a selection that means nothing: a usage error."""


@dataclass(slots=True)
class Target:
    """A spec file to run.

    :ivar lines: the lines whose specs are meant; empty: all.
    """

    file: str
    lines: set[int] = field(default_factory=set)
    whole: bool = False

    def select(self, specs: Sequence[Spec]) -> list[Spec]:
        """The specs that are meant.

        :raises NothingMeant: there is none at a line.
        """
        if self.whole:
            return list(specs)
        chosen: list[Spec] = []
        for line in sorted(self.lines):
            found = _at_line(specs, self.file, line)
            if not found:
                near = ", ".join(f"{spec.first}" for spec in specs[:10])
                hint = f"; its specs are at lines {near}" if near else "; it has none"
                raise NothingMeant(f"there is no spec at {self.file}:{line}{hint}")
            chosen += [spec for spec in found if spec not in chosen]
        return [spec for spec in specs if spec in chosen]


def _at_line(specs: Sequence[Spec], file: str, line: int) -> list[Spec]:
    """The ``it`` around a line, else what the innermost ``describe`` around it holds."""
    own = [spec for spec in specs if spec.where.rpartition(":")[0] == file]
    found = [spec for spec in own if spec.first <= line <= spec.last]
    if found:
        narrowest = min(spec.last - spec.first for spec in found)
        return [spec for spec in found if spec.last - spec.first == narrowest]
    around = [
        (group.last - group.first, group)
        for spec in own
        for group in spec.groups
        if group.first <= line <= group.last
    ]
    if not around:
        return []
    innermost = min(around, key=lambda one: one[0])[1]
    return [spec for spec in own if innermost in spec.groups]


def find(paths: Sequence[str]) -> list[Target]:
    """The spec files that paths name, each once, in order.

    :param paths: files, folders, ``FILE:LINE``; none: the working directory.
    :raises NothingMeant: a path does not exist, or there are no spec files.
    """
    targets: dict[str, Target] = {}

    def target(file: str) -> Target:
        return targets.setdefault(str(Path(file).resolve()), Target(file))

    for path in paths or ["."]:
        if not path:
            raise NothingMeant("a path is an empty word")
        at_line = re.fullmatch(r"(.+):(\d+)", path)
        if Path(path).is_dir():
            for file in _below(path):
                target(file).whole = True
        elif Path(path).exists():
            target(path).whole = True
        elif at_line and Path(at_line[1]).is_file():
            target(at_line[1]).lines.add(int(at_line[2]))
        elif at_line and Path(at_line[1]).is_dir():
            raise NothingMeant(f"{path}: a line is one of a file, and {at_line[1]} is a folder")
        else:
            raise NothingMeant(f"{path}: no such file or folder")
    if not targets:
        named = ", ".join(paths) if paths else "the working directory"
        raise NothingMeant(f"no specs found: there is no file *{ENDING} in {named}")
    return list(targets.values())


def folders(paths: Sequence[str]) -> set[str]:
    """The folders where a spec file that is new would be meant."""
    return {
        os.path.normpath(here)
        for path in paths or ["."]
        if Path(path).is_dir()
        for here, _ in _walk(path)
    }


def _below(folder: str) -> Iterable[str]:
    for here, files in _walk(folder):
        for name in sorted(files):
            if name.endswith(ENDING) and not name.startswith("."):
                yield os.path.normpath(Path(here) / name)


def _walk(folder: str) -> Iterator[tuple[str, list[str]]]:
    for here, folders, files in os.walk(folder):
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith(".")
            and name not in _LEFT_OUT
            and not (Path(here) / name / "pyvenv.cfg").exists()
        )
        yield here, files


def matching(specs: Iterable[Spec], filters: Sequence[str]) -> list[Spec]:
    """The specs whose name contains any of the texts, whatever the case."""
    wanted = [text.lower() for text in filters]
    return [
        spec for spec in specs if not wanted or any(text in spec.name.lower() for text in wanted)
    ]
