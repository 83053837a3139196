"""What goes wrong, as Python sees it. Every error carries the Lua error's fields in ``.error``."""

from __future__ import annotations

from typing import Any


class SwarmError(Exception):
    """An error that came out of a script or of the host's checks.

    :ivar error: the error's fields: ``code``, ``message``, ``where``, ``traceback`` and what
        belongs to the code.
    """

    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__(headline(error))
        self.error = error


class LoadError(SwarmError):
    """The script cannot be loaded: it is missing, does not parse, or defines something wrong."""


class OutOfMemory(SwarmError):
    """Memory ran out while Lua had control, which cannot go on: the run is over."""


class WorkerFailed(SwarmError):
    """The worker failed."""


class WorkerCancelled(SwarmError):
    """The worker was cancelled."""


class WorkerTimeout(SwarmError):
    """The worker ran out of time."""


class WorkerBlocked(SwarmError):
    """The worker said that it is blocked.

    :ivar value: the value that it returned beside the reason.
    """

    def __init__(self, error: dict[str, Any], value: Any) -> None:
        super().__init__(error)
        self.value = value


def headline(error: dict[str, Any]) -> str:
    """The message, after the place in the author's code that it speaks of."""
    message, where = str(error.get("message", "")), error.get("where")
    return f"{where}: {message}" if where and not message.startswith(where) else message


def of_status(status: str, error: dict[str, Any]) -> SwarmError:
    """The exception for a worker that ended as ``failed``, ``cancelled`` or ``timeout``."""
    kinds = {"cancelled": WorkerCancelled, "timeout": WorkerTimeout}
    return kinds.get(status, WorkerFailed)(error)


def words_of(problem: OSError) -> str:
    """What the system said, as the end of a message of ours."""
    return (problem.strerror or str(problem)).lower()
