"""Port ``files``: what ``swarm.fs`` and ``require`` do, each in a thread."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from swarm_host.ports.contract import Answer, Call, PortError
from swarm_host.ports.files import beneath, search, transfer
from swarm_host.ports.files.bounds import Bounds, admits_resolved, refusal
from swarm_host.ports.files.temporary import Temporary
from swarm_host.ports.files.threads import Threads, Work
from swarm_host.ports.writing import put

THREADS = 40
"""File operations of scripts that run at once."""

LOADING_THREADS = 8
"""The same for scripts and modules: what files hold up, no ``require`` waits for."""


class Request(NamedTuple):
    """What a script asks for: ``bounds`` of the path and, in a move, those of who may read it."""

    payload: dict[str, Any]
    data: bytes
    work: Work

    @property
    def path(self) -> str:
        """The path, or the first of two."""
        return str(self.payload["path"])

    @property
    def bounds(self) -> Bounds | None:
        """What the path is held to."""
        return self.payload.get("bounds")


def _read(request: Request) -> Answer:
    """A file's bytes: all, or ``size`` of them from ``offset`` on, none at its end."""
    payload = request.payload
    with (
        beneath.entry(request.bounds, request.path) as where,
        beneath.opened(where, os.O_RDONLY) as file,
    ):
        if "offset" in payload:
            return Answer(data=os.pread(file, payload["size"], payload["offset"]))
        return Answer(data=beneath.content(file))


def _source(request: Request) -> Answer:
    """A script's text; what is not there or not a file is a load error. It may come by a pipe."""
    path = request.path
    try:
        file = os.open(path, os.O_RDONLY | os.O_NOCTTY | os.O_CLOEXEC)
        try:
            return Answer(data=beneath.content(file))
        finally:
            os.close(file)
    except OSError as problem:
        if isinstance(problem, IsADirectoryError):
            hint = "it is a folder; name the script in it"
        else:
            hint = _reason(problem)
        raise PortError("load_error", f"cannot read script {path}: {hint}", path=path) from None


def _first(request: Request) -> Answer:
    """The first of several paths that is there, with its bytes."""
    for path in request.payload["paths"]:
        try:
            with beneath.opened((None, path), os.O_RDONLY) as file:
                return Answer(value=path, data=beneath.content(file))
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            continue
        except OSError as problem:
            raise PortError("io_error", f"cannot read {path}: {_reason(problem)}") from None
    return Answer()


def _put(request: Request, flag: int) -> Answer:
    with (
        beneath.entry(request.bounds, request.path) as where,
        beneath.opened(where, os.O_WRONLY | os.O_CREAT | flag) as file,
    ):
        put(file, request.data)
    return Answer()


def _write(request: Request) -> Answer:
    return _put(request, os.O_TRUNC)


def _append(request: Request) -> Answer:
    return _put(request, os.O_APPEND)


def _status(request: Request) -> os.stat_result | None:
    try:
        with beneath.entry(request.bounds, request.path) as where:
            return beneath.found(where)
    except (FileNotFoundError, NotADirectoryError):
        return None


def _exists(request: Request) -> Answer:
    try:
        return Answer(value=_status(request) is not None)
    except OSError as problem:
        if problem.errno == errno.ELOOP:  # links that lead to each other lead nowhere
            return Answer(value=False)
        raise


_TYPES = {stat.S_IFREG: "file", stat.S_IFDIR: "directory", stat.S_IFLNK: "link"}


def _stat(request: Request) -> Answer:
    found = _status(request)
    if found is None:
        return Answer(value={})
    return Answer(
        value={
            "type": _TYPES.get(stat.S_IFMT(found.st_mode), "other"),
            "size": found.st_size,
            "mtime": found.st_mtime,
            "mode": stat.S_IMODE(found.st_mode),
        }
    )


def _names(found: list[str]) -> Answer:
    """Names as a list; what is not UTF-8 stands beside it, with NUL between, and is left out.

    A script could not name it: a path is a text.
    """
    names: list[str] = []
    others: list[bytes] = []
    for name in found:
        try:
            name.encode()
        except UnicodeEncodeError:
            others.append(os.fsencode(name))
        else:
            names.append(name)
    return Answer(value=names, data=b"\0".join(others) or None)


def _list(request: Request) -> Answer:
    with (
        beneath.entry(request.bounds, request.path) as where,
        beneath.listed(where) as number,
    ):
        return _names(sorted(os.listdir(number)))  # noqa: PTH208 - names, not paths


def _glob(request: Request) -> Answer:
    return _names(search.files(request.path, request.bounds, request.work.check))


def _mkdir(request: Request) -> Answer:
    """A folder and those above it; within bounds, each that is made has to be admitted."""
    bounds = request.bounds
    if bounds is None:
        Path(request.path).mkdir(parents=True, exist_ok=True)
        return Answer()
    missing: list[str] = []
    real = beneath.resolved(request.path)
    if not admits_resolved(bounds, real):
        raise refusal(bounds, request.path)
    while not os.path.lexists(real):
        if not admits_resolved(bounds, real):
            raise refusal(bounds, os.path.relpath(real))
        real, name = os.path.split(real)
        missing.append(name)
    if not missing and not Path(real).is_dir():
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
    for name in reversed(missing):
        number = beneath.open_folder(real)
        try:
            with suppress(FileExistsError):  # somebody else may be faster
                os.mkdir(name, dir_fd=number)
        finally:
            os.close(number)
        real = f"{real.rstrip('/')}/{name}"
    return Answer()


def _remove(request: Request) -> Answer:
    with beneath.entry(request.bounds, request.path, follow=False) as (number, name):
        name = str(Path(name))  # a link to a folder is a link, with a slash at its end too
        if stat.S_ISDIR(os.stat(name, dir_fd=number, follow_symlinks=False).st_mode):
            os.rmdir(name, dir_fd=number)
        else:
            os.unlink(name, dir_fd=number)
    return Answer()


def _copy(request: Request) -> Answer:
    payload = request.payload
    check = request.work.check
    transfer.copy(payload.get("from_bounds"), request.path, request.bounds, payload["to"], check)
    return Answer()


def _move(request: Request) -> Answer:
    payload = request.payload
    sources = (payload.get("from_bounds"), payload.get("read_bounds"))
    transfer.move(sources, request.path, request.bounds, payload["to"], request.work.check)
    return Answer()


_OPERATIONS: dict[str, Callable[[Request], Answer]] = {
    "append": _append,
    "copy": _copy,
    "exists": _exists,
    "first": _first,
    "glob": _glob,
    "list": _list,
    "mkdir": _mkdir,
    "move": _move,
    "read": _read,
    "remove": _remove,
    "source": _source,
    "stat": _stat,
    "write": _write,
}


READS = frozenset(("exists", "first", "glob", "list", "read", "source", "stat"))
"""Operations that change nothing."""
_LOADING = frozenset(("first", "source"))


def _reason(problem: OSError) -> str:
    reason = problem.strerror or str(problem)
    return reason[:1].lower() + reason[1:]


class Files:
    """Runs one file operation in a thread; what goes wrong is ``io_error``."""

    def __init__(self) -> None:
        self._threads = Threads(THREADS)
        self._loading = Threads(LOADING_THREADS)
        temporary = Temporary()

        def remove(request: Request) -> Answer:
            temporary.remove(request.path)
            return Answer()

        self._operations: dict[str, Callable[[Request], Answer]] = {
            **_OPERATIONS,
            "make_temporary": lambda request: Answer(value=temporary.make(request.bounds)),
            "remove_temporary": remove,
        }

    async def __call__(self, payload: dict[str, Any], call: Call) -> Answer:
        """Runs ``payload["op"]``.

        :raises PortError: ``io_error`` with ``path`` and ``reason``; ``role_violation``.
        """
        op = payload["op"]
        operation = self._operations[op]

        def run(work: Work) -> Answer:
            request = Request(payload, call.data or b"", work)
            return beneath.settled(lambda: operation(request))

        threads = self._loading if op in _LOADING else self._threads
        try:
            # A read that hangs (a file system that is gone) is left behind when its worker is
            # cancelled; a write is waited for, so that nobody finds half of it, and a copy until
            # it has looked up and removed what it has.
            return await threads.run(run, abandon=op in READS)
        except transfer.Failed as failed:
            path, problem = failed.path, failed.problem
        except OSError as caught:
            path, problem = str(payload.get("path")), caught
        reason = _reason(problem)
        text = f"cannot {op} {path}: {reason}"
        raise PortError("io_error", text, path=path, reason=reason) from None
