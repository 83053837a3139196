"""Which journals go: those of runs that ended long ago, and the oldest of too many. That of a run
that goes on, or waits for answers, never goes, and what is no journal, or a damaged one, is left to
its owner."""

from __future__ import annotations

import os
import shutil
import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from swarm_host.journal.places import SUFFIX, Lock, NoJournal, files_of, folder

MOST_SECONDS = 30 * 86400.0
"""How long a journal is kept that nothing is written to any more."""
MOST_BYTES = 1 << 30
"""How much all journals may hold together, before the oldest go."""

_GOING = ".removed"
"""In place of a journal's suffix as long as not all of it is gone."""


class Kept(NamedTuple):
    """A journal that is kept.

    :ivar size: bytes, with all that belongs to it.
    :ivar written: Unix time; when something was written last.
    """

    path: Path
    size: int
    written: float


def kept() -> list[Kept]:
    """The journals in their folder; the one that was written to longest ago is the first.

    :raises OSError: the folder cannot be listed.
    """
    found = []
    for path in folder().iterdir():
        if path.suffix == SUFFIX:
            sizes, times = [], [0.0]
            for part in (path, _beside(path, "-wal"), *_inside(files_of(path))):
                with suppress(FileNotFoundError):
                    status = part.stat()
                    sizes.append(status.st_size)
                    times.append(status.st_mtime)
            found.append(Kept(path, sum(sizes), max(times)))
    return sorted(found, key=lambda one: one.written)


def remove(journal: Path) -> None:
    """Removes a journal, with all that belongs to it.

    :raises NoJournal: its run goes on.
    :raises OSError: it cannot be removed.
    """
    lock = Lock(journal)
    try:
        going = journal.with_suffix(_GOING)
        journal.rename(going)
        _remove_rest(going)
    finally:
        lock.close()


def _remove_rest(going: Path) -> None:
    journal = going.with_suffix(SUFFIX)
    with suppress(FileNotFoundError):
        shutil.rmtree(files_of(journal))
    for end in ("-wal", "-shm", ".lock"):
        _beside(journal, end).unlink(missing_ok=True)
    going.unlink(missing_ok=True)


def keep_bounds(journal: Path) -> None:
    """Removes what is older than :data:`MOST_SECONDS`, and the oldest while all is more than
    :data:`MOST_BYTES`. What cannot be removed stays.

    :param journal: of the run that begins; where it lies elsewhere than all others nothing is done.
    """
    if journal.parent != folder():
        return
    with suppress(OSError):  # `swarm-host prune` says what is wrong
        for going in journal.parent.glob(f"*{_GOING}"):  # somebody was killed in the middle of it
            _remove_rest(going)
        _keep_bounds(kept(), time.time() - MOST_SECONDS)


def _keep_bounds(found: list[Kept], since: float) -> None:
    size = sum(one.size for one in found)
    for one in found:
        if one.written >= since and size <= MOST_BYTES:
            return
        if not may_go(one.path):
            continue
        with suppress(NoJournal):
            remove(one.path)
            size -= one.size


def may_go(journal: Path) -> bool:
    """Whether a journal can be read, and its run waits for no answers."""
    from swarm_host.journal.reading.reader import Reader  # a run that begins reads none

    try:
        with Reader(journal) as reader:
            return not reader.waits()
    except NoJournal:
        return False


def _beside(journal: Path, end: str) -> Path:
    return journal.with_name(journal.name + end)


def _inside(files: Path) -> list[Path]:
    try:
        return [Path(entry) for entry in os.scandir(files)]
    except FileNotFoundError:
        return []
