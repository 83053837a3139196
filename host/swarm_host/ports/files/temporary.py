"""Temporary folders of scripts: each is removed at its block's end, all at the end of the host."""

from __future__ import annotations

import os
import stat
import weakref
from contextlib import suppress
from pathlib import Path

from swarm_host.errors import words_of
from swarm_host.ports.contract import PortError
from swarm_host.ports.files.bounds import Bounds, admits_below, refusal

PREFIX = "swarm-"


class Temporary:
    """The folders that were made and are not removed yet."""

    def __init__(self) -> None:
        self._mine: set[str] = set()
        # What an abandoned worker left goes with the port, or as the interpreter ends.
        weakref.finalize(self, _remove_all, self._mine)

    def make(self, bounds: Bounds | None) -> str:
        """A new folder that only this user reaches.

        :raises PortError: ``role_violation`` where the bounds do not admit all of it; ``io_error``.
        """
        import tempfile  # costs start-up, and few runs need it

        try:
            path = os.path.realpath(tempfile.mkdtemp(prefix=PREFIX))
        except OSError as problem:
            raise _failed("make", tempfile.gettempdir(), problem) from None
        if bounds is not None and not admits_below(bounds, path):
            Path(path).rmdir()
            raise refusal(bounds, path)
        self._mine.add(path)
        return path

    def remove(self, path: str) -> None:
        """Removes one of its folders with all that is in it.

        :raises PortError: ``io_error``.
        """
        if path in self._mine:
            try:
                _remove(path)
            except OSError as problem:
                raise _failed("remove", path, problem) from None
            self._mine.discard(path)


def _failed(what: str, path: str, problem: OSError) -> PortError:
    reason = words_of(problem)
    text = f"cannot {what} the temporary folder {path}: {reason}"
    return PortError("io_error", text, path=path, reason=reason)


def _remove(path: str) -> None:
    """Removes a folder, also what its owner may not write to at first; one that is gone is gone."""
    import shutil  # as tempfile, above

    try:
        with suppress(FileNotFoundError):
            shutil.rmtree(path)
    except PermissionError:
        Path(path).chmod(stat.S_IRWXU)
        for folder, names, _ in os.walk(path):  # from above; links are not followed
            for name in names:
                below = Path(folder, name)
                if not below.is_symlink():
                    below.chmod(stat.S_IRWXU)
        shutil.rmtree(path)


def _remove_all(paths: set[str]) -> None:
    for path in paths:
        with suppress(OSError):
            _remove(path)
