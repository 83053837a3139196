"""Port ``files``: what ``swarm.fs`` and ``require`` do, each in a thread."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

from anyio import to_thread

from swarm_host.ports.contract import Answer, Call, PortError
from swarm_host.ports.files.bounds import admits, check_path


def _read(payload: dict[str, Any], _: bytes | None) -> Answer:
    return Answer(data=Path(payload["path"]).read_bytes())


def _source(payload: dict[str, Any], _: bytes | None) -> Answer:
    """A script's text; what is not there or not a file is a load error."""
    path = payload["path"]
    try:
        return Answer(data=Path(path).read_bytes())
    except OSError as problem:
        if isinstance(problem, IsADirectoryError):
            hint = "it is a folder; name the script in it"
        else:
            hint = _reason(problem)
        raise PortError("load_error", f"cannot read script {path}: {hint}", path=path) from None


def _first(payload: dict[str, Any], _: bytes | None) -> Answer:
    """The first of several paths that is there, with its bytes."""
    for path in payload["paths"]:
        try:
            return Answer(value=path, data=Path(path).read_bytes())
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            continue
        except OSError as problem:
            raise PortError("io_error", f"cannot read {path}: {_reason(problem)}") from None
    return Answer()


def _write(payload: dict[str, Any], data: bytes | None) -> Answer:
    Path(payload["path"]).write_bytes(data or b"")
    return Answer()


def _append(payload: dict[str, Any], data: bytes | None) -> Answer:
    with Path(payload["path"]).open("ab") as file:
        file.write(data or b"")
    return Answer()


def _exists(payload: dict[str, Any], _: bytes | None) -> Answer:
    return Answer(value=Path(payload["path"]).exists())


_TYPES = {stat.S_IFREG: "file", stat.S_IFDIR: "directory", stat.S_IFLNK: "link"}


def _stat(payload: dict[str, Any], _: bytes | None) -> Answer:
    try:
        found = Path(payload["path"]).stat()
    except (FileNotFoundError, NotADirectoryError):
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
    """Names as a list; one that is not UTF-8 cannot be written as JSON and is refused by name."""
    for name in found:
        try:
            name.encode()
        except UnicodeEncodeError:
            shown = os.fsencode(name).decode(errors="replace")
            raise PortError("io_error", f"a file name is not UTF-8: {shown}", path=shown) from None
    return Answer(value=found)


def _list(payload: dict[str, Any], _: bytes | None) -> Answer:
    return _names(sorted(os.listdir(payload["path"])))  # noqa: PTH208 - names, not paths


def _glob(payload: dict[str, Any], _: bytes | None) -> Answer:
    """Files (no folders) that match; ``**`` crosses folders, hidden ones left out."""
    import glob

    pattern = payload["path"]
    found = glob.glob(pattern, recursive=True)  # noqa: PTH207 - keeps the pattern's own spelling
    bounds = payload.get("bounds")
    return _names(
        sorted(
            path
            for path in found
            if not Path(path).is_dir() and (bounds is None or admits(bounds, path))
        )
    )


def _mkdir(payload: dict[str, Any], _: bytes | None) -> Answer:
    Path(payload["path"]).mkdir(parents=True, exist_ok=True)
    return Answer()


def _remove(payload: dict[str, Any], _: bytes | None) -> Answer:
    path = Path(payload["path"])
    if path.is_dir() and not path.is_symlink():
        path.rmdir()
    else:
        path.unlink()
    return Answer()


def _copy(payload: dict[str, Any], _: bytes | None) -> Answer:
    import shutil  # costs start-up, and few runs need it

    shutil.copy2(payload["path"], payload["to"])
    return Answer()


def _move(payload: dict[str, Any], _: bytes | None) -> Answer:
    import shutil

    shutil.move(payload["path"], payload["to"])
    return Answer()


_OPERATIONS: dict[str, Callable[[dict[str, Any], bytes | None], Answer]] = {
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


_READS = frozenset(("exists", "first", "glob", "list", "read", "source", "stat"))


def _reason(problem: OSError) -> str:
    return (problem.strerror or str(problem)).lower()


class Files:
    """Runs one file operation in a thread; what goes wrong is ``io_error``."""

    async def __call__(self, payload: dict[str, Any], call: Call) -> Answer:
        """Runs ``payload["op"]``.

        :raises PortError: ``io_error`` with ``path`` and ``reason``.
        """
        operation = _OPERATIONS[payload["op"]]
        if "to" in payload:
            check_path(payload.get("from_bounds"), payload["path"])
            check_path(payload.get("bounds"), payload["to"])
        elif "path" in payload and payload["op"] != "glob":
            check_path(payload.get("bounds"), payload["path"])
        try:
            # A read that hangs (a pipe without a writer) is left behind when its worker is
            # cancelled; a write is waited for, so that nobody finds half of it.
            reads = payload["op"] in _READS
            return await to_thread.run_sync(operation, payload, call.data, abandon_on_cancel=reads)
        except OSError as problem:
            path, reason = payload.get("path"), _reason(problem)
            raise PortError(
                "io_error", f"cannot {payload['op']} {path}: {reason}", path=path, reason=reason
            ) from None
