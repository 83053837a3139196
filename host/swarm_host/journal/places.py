"""Where journals lie, and how one is found again by its run."""

from __future__ import annotations

import fcntl
import os
import re
import time
from contextlib import suppress
from pathlib import Path

from swarm_host.errors import words_of

SUFFIX = ".journal"
_TRIES, _BETWEEN_TRIES = 5, 0.01


class NoJournal(Exception):
    """A journal that cannot be used; the text says why, and what to do."""


def folder() -> Path:
    """The folder in which the journals of this user's runs lie."""
    state = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    return Path(state, "swarm-host", "runs").expanduser()


def files_of(journal: Path) -> Path:
    """The folder of a journal's large contents."""
    return journal.with_name(journal.name + ".files")


def journals() -> list[Path]:
    """The journals that there are: of the run that began last, the last.

    :raises NoJournal: nobody may look for them.
    """
    try:
        found = [path for path in folder().iterdir() if path.suffix == SUFFIX]
    except FileNotFoundError:
        return []
    except OSError as problem:
        raise NoJournal(
            f"the journals in {folder()} cannot be listed: {words_of(problem)}. See whose that "
            "folder is, or set XDG_STATE_HOME to another"
        ) from None
    return sorted(found, key=began)


def began(journal: Path) -> float:
    """When a run began: its lock was made then, and never changes."""
    for path in (_lock_of(journal), journal):
        with suppress(OSError):
            return path.stat().st_mtime
    return 0.0


def _lock_of(journal: Path) -> Path:
    return journal.with_name(journal.name + ".lock")


def find(run: str) -> Path:
    """The journal of a run.

    :param run: its id, a unique prefix of it, ``last``, or the path of a journal.
    :raises NoJournal: there is none, or several.
    """
    if "/" in run or run.endswith(SUFFIX):
        if not Path(run).is_file():
            raise NoJournal(f"there is no journal {run}")
        return Path(run).resolve()  # by whichever name: it is locked by its own
    known = journals()
    if run == "last":
        if not known:
            raise NoJournal("no run has left a journal yet")
        return known[-1]
    matching = [path for path in known if path.stem.startswith(run)] if run else []
    exact = [path for path in matching if path.stem == run]
    if len(exact or matching) == 1:
        return (exact or matching)[0]
    if not re.fullmatch("[0-9a-f]+", run):
        raise NoJournal(
            f"{run!r} is no id of a run: it is hexadecimal digits, a unique prefix of them, or last"
        )
    if matching:
        several = ", ".join(path.stem for path in matching[:5])
        raise NoJournal(f"{run} could be any of {several}: give more of it")
    raise NoJournal(f"there is no journal of a run {run}; `swarm-host runs` lists those there are")


class Lock:
    """Held by who works on a run, for as long as that lives.

    :param journal: its journal.
    :raises NoJournal: somebody else holds it, or it cannot be made.
    """

    def __init__(self, journal: Path) -> None:
        path = _lock_of(journal)
        try:
            self._file = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        except OSError as problem:
            raise NoJournal(f"no journal can be kept at {journal}: {words_of(problem)}") from None
        for left in reversed(range(_TRIES)):  # who only looks has it for a moment
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except OSError:
                if left:
                    time.sleep(_BETWEEN_TRIES)
        os.close(self._file)
        raise NoJournal(f"the run of {journal} goes on: another process has it")

    def close(self) -> None:
        """Lets go of it."""
        os.close(self._file)


def number_of(task: str) -> int:
    """The number of a task's name, such as ``T-7``; -1 for what is none."""
    named = re.fullmatch("T-([0-9]{1,18})", task)
    return int(named[1]) if named else -1


def is_live(journal: Path) -> bool:
    """Whether somebody works on a run."""
    try:
        file = os.open(_lock_of(journal), os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(file)
    return False
