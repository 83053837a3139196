"""Where worktrees lie, and what is known of each: so that what a killed host has left is found.

A folder for each host that made any, with a lock that is held for as long as the host lives; in it
each tree, and beside it a file that says what it belongs to.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import uuid
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from swarm_host.errors import words_of
from swarm_host.ports.contract import PortError
from swarm_host.ports.worktrees.git import Tree

_LOCK = "lock"


def home() -> Path:
    """The folder in which all worktrees of this user lie."""
    state = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    return Path(state, "swarm-host", "worktrees").expanduser()


class Records:
    """The worktrees of one host.

    :raises PortError: ``io_error`` where there is no place for them.
    """

    def __init__(self) -> None:
        self.folder = home() / uuid.uuid4().hex[:12]
        try:
            self.folder.mkdir(parents=True)
            self._lock = os.open(self.folder / _LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        except OSError as problem:
            raise _no_place(self.folder, problem) from None
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        self._adopted: dict[Path, int] = {}  # folders of hosts that have ended, with their locks

    def place(self, name: str) -> str:
        """A path for a new tree."""
        path = plain = self.folder / re.sub(r"[^\w.-]+", "-", name)
        number = 1
        while path.exists() or _file(path).exists():
            number += 1
            path = plain.with_name(f"{plain.name}-{number}")
        return str(path)

    def adopt(self, path: str) -> Tree | None:
        """A tree that a host has left which has ended; from now on it is this host's.

        :return: what is known of it; None: it is not there any more, and may be made at the path.
        :raises PortError: ``io_error``: it is another host's, which lives.
        """
        folder = Path(path).parent
        if folder not in self._adopted and folder != self.folder:
            try:
                folder.mkdir(parents=True, exist_ok=True)
                lock = os.open(folder / _LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
            except OSError as problem:
                raise _no_place(folder, problem) from None
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(lock)
                reason = "another run has it"
                raise PortError(
                    "io_error", f"worktree: {path}: {reason}", path=path, reason=reason
                ) from None
            self._adopted[folder] = lock
        file = _file(Path(path))
        if not file.exists() or not Path(path).exists():
            return None
        tree = Tree(**json.loads(file.read_text()))
        return tree if tree.made else None

    def keep(self, tree: Tree) -> None:
        """Writes down what is known of a tree, before it is made or once more is known.

        :raises PortError: ``io_error``, such as for a full disk.
        """
        file = _file(Path(tree.path))
        new = file.with_suffix(".new")
        try:
            new.write_text(json.dumps(asdict(tree)))
            new.replace(file)
        except OSError as problem:
            new.unlink(missing_ok=True)
            raise _no_place(file, problem) from None

    def forget(self, tree: Tree) -> None:
        """The tree is gone."""
        _file(Path(tree.path)).unlink(missing_ok=True)

    def close(self) -> None:
        """The host has ended; the folder goes where nothing is left in it."""
        for folder, lock in ((self.folder, self._lock), *self._adopted.items()):
            _drop(folder)
            os.close(lock)


def _no_place(path: Path, problem: OSError) -> PortError:
    reason = words_of(problem)
    text = f"worktree: there is no place for it: {path}: {reason}"
    return PortError("io_error", text, path=str(path), reason=reason)


def _file(path: Path) -> Path:
    return path.with_name(path.name + ".json")


def _drop(folder: Path) -> None:
    """Removes the folder of a host, where no tree is left in it."""
    if [path.name for path in folder.iterdir()] in ([_LOCK], []):
        (folder / _LOCK).unlink(missing_ok=True)
        with suppress(OSError):
            folder.rmdir()


def left() -> Iterator[Tree]:
    """The trees of hosts that have ended; those whose host lives are left out."""
    for folder in sorted(home().glob("*/")):
        try:
            lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            for file in sorted(folder.glob("*.json")):
                yield Tree(**json.loads(file.read_text()))
            _drop(folder)
        except BlockingIOError:
            pass  # its host lives
        finally:
            os.close(lock)


def forget(tree: Tree) -> None:
    """A tree that was left is gone."""
    _file(Path(tree.path)).unlink(missing_ok=True)
