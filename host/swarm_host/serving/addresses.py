"""Where runs listen, and how one is found again: a folder of the user's own with a socket a run,
and beside those of runs that have ended a note of how."""

from __future__ import annotations

import contextlib
import os
import socket
import stat
import tempfile
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple

MOST_PATH = 107 if os.uname().sysname == "Linux" else 103
"""Bytes that the address of a Unix socket has room for (``sockaddr_un``)."""

SOCKET, ENDED = ".sock", ".ended"
KEPT_SECONDS = 86400.0
"""How long it is known of a run that it has ended."""
LOOKED_AT = 100
"""Entries that a run looks at in the end, to take away what is older."""


class NoRun(Exception):
    """A run that cannot be spoken to; the text says why, and what to do."""


class HasEnded(NoRun):
    """A run of which it is known how it ended."""


class Run(NamedTuple):
    """A run that may be listening.

    :ivar id: its id.
    :ivar path: of its socket.
    :ivar began: Unix time.
    """

    id: str
    path: Path
    began: float


def folder() -> Path:
    """The folder of the user's runs; made where it is not there.

    :raises OSError: it is not there and cannot be made, or is somebody else's.
    """
    base = Path(os.environ.get("XDG_RUNTIME_DIR", ""))
    if base.is_absolute() and base.is_dir():
        path = base / "swarm-host"
    else:
        path = Path(tempfile.gettempdir(), f"swarm-host-{os.geteuid()}")
    with contextlib.suppress(FileExistsError):
        path.mkdir(0o700)
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise PermissionError(f"{path} is no folder of yours: remove it")
    if found.st_mode & 0o077:
        path.chmod(0o700)
    return path


def listen(path: Path) -> socket.socket:
    """A socket that listens at a path, for this user alone.

    :raises OSError: there is somebody already, or the path is too long.
    """
    if len(os.fsencode(path)) > MOST_PATH:
        raise OSError(f"the path of the run's socket is longer than {MOST_PATH} bytes: {path}")
    if path.exists() or path.is_symlink():
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise FileExistsError(f"{path} is there, and is no socket")
        if _answers(path):
            raise FileExistsError(f"somebody listens at {path} already")
        path.unlink()
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        before = os.umask(0o177)
        try:
            server.bind(str(path))
        finally:
            os.umask(before)
        server.listen(1024)
        server.setblocking(False)
    except BaseException:
        server.close()
        raise
    return server


def end(path: Path, how: str) -> None:
    """A run no longer listens: what is left of it is a note of how it ended."""
    with contextlib.suppress(OSError):
        path.unlink()
    if path.suffix == SOCKET:
        note = path.with_suffix(ENDED)
        with contextlib.suppress(OSError):
            note.unlink(missing_ok=True)  # a link would lead elsewhere
            with note.open("x") as file:
                file.write(how)
            forget_old(path.parent)


def forget_old(place: Path) -> None:
    """Takes away old notes, and old sockets of hosts that were killed; a part of them, so that the
    end of a run is no longer for many."""
    for name, at in islice(_entries(place), LOOKED_AT):
        path = place / name
        if time.time() - at > KEPT_SECONDS and (
            path.suffix == ENDED or (path.suffix == SOCKET and not _answers(path))
        ):
            with contextlib.suppress(OSError):
                path.unlink()


def runs() -> list[Run]:
    """The runs that listen, the oldest first."""
    return [run for run in _sockets() if _answers(run.path)]


def _sockets() -> list[Run]:
    """The same, and those of hosts that were killed."""
    place = folder()
    found = [(place / name, at) for name, at in _entries(place) if name.endswith(SOCKET)]
    runs_found = [Run(path.stem, path, at) for path, at in found]
    return sorted(runs_found, key=lambda run: (run.began, run.id))


def find(name: str) -> Run:
    """The run of an id, of the unique beginning of one, of a path, or ``last``.

    :raises NoRun: there is none, or there are several.
    """
    if "/" in name:
        return Run(Path(name).stem, Path(name), 0.0)
    listening = runs()
    if name == "last":
        if not listening:
            raise NoRun("no run of yours listens: start one with swarm-host SCRIPT")
        return listening[-1]
    fitting = [run for run in listening if run.id.startswith(name)]
    exact = [run for run in fitting if run.id == name]
    if len(fitting) == 1 or exact:
        return (exact or fitting)[0]
    if fitting:
        ids = ", ".join(run.id for run in fitting)
        raise NoRun(f"several runs begin with {name}: {ids}")
    for run in _sockets():
        if run.id.startswith(name):
            end(run.path, "it was killed")
    for note, at in _entries(folder()):
        if note.endswith(ENDED) and note.startswith(name):
            raise HasEnded(_ended(note[: -len(ENDED)], folder() / note, at))
    ids = ", ".join(run.id for run in listening)
    raise NoRun(f"there is no run {name}; " + (f"there are {ids}" if ids else "none listens"))


def connect(run: Run) -> socket.socket:
    """A connection to a run.

    :raises NoRun: it has ended.
    """
    client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        client.connect(str(run.path))
    except (ConnectionRefusedError, FileNotFoundError):
        client.close()
        if run.began and run.path.exists():
            end(run.path, "it was killed")
        raise NoRun(f"run {run.id} has ended") from None
    except OSError as problem:
        client.close()
        raise NoRun(f"run {run.id} cannot be spoken to: {problem.strerror}") from None
    return client


def _answers(path: Path) -> bool:
    probe = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    probe.setblocking(False)
    try:
        probe.connect(str(path))
    except BlockingIOError:
        return True  # others wait there already
    except OSError:
        return False
    finally:
        probe.close()
    return True


def _ended(run: str, note: Path, at: float) -> str:
    how = ""
    with contextlib.suppress(OSError):
        how = note.read_text()[:200]
    clock = time.strftime("%H:%M:%S", time.localtime(at))
    return f"run {run} ended at {clock}" + (f": {how}" if how else "")


def _entries(place: Path) -> Iterator[tuple[str, float]]:
    with os.scandir(place) as entries:
        for entry in entries:
            with contextlib.suppress(OSError):
                yield entry.name, entry.stat(follow_symlinks=False).st_mtime
