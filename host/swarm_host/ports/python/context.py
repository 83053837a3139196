"""What a function may ask of its worker while it runs, in the loop or in a thread."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from swarm_host.errors import WorkerCancelled
from swarm_host.ports.python.crossing import write

_CURRENT: ContextVar[WorkerContext] = ContextVar("swarm_host_worker")


def worker_context() -> WorkerContext:
    """The worker that the calling function runs for.

    :raises RuntimeError: it runs for none.
    """
    context = _CURRENT.get(None)
    if context is None:
        raise RuntimeError(
            "worker_context() is for functions that a worker runs, python = ..., and what they call"
        )
    return context


class WorkerContext:
    """A worker, as the function that it runs sees it. Its methods may be called from any thread.

    :ivar task_id: such as ``T-7``.
    :ivar attempt: which try at the task this is, from 1.
    :ivar name: the worker's.
    :ivar label: which of many it is; None: neither its definition nor its spawn says.
    :ivar worktree: the path of its git worktree; None: it has none.
    """

    def __init__(self, about: dict[str, Any], say: Callable[[bytes], None]) -> None:
        self.task_id: str = about["task_id"]
        self.attempt: int = about.get("attempt", 1)
        self.name: str | None = about.get("name")
        self.label: str | None = about.get("label")
        self.worktree: str | None = about.get("worktree")
        self._token: str | None = about.get("token")
        self._say = say
        self._why: str | None = None

    @property
    def token(self) -> str:
        """A token of this attempt, for the run's socket.

        :raises RuntimeError: the worker's definition asks for none.
        """
        if self._token is None:
            raise RuntimeError("this worker has no token: write token = true in its definition")
        return self._token

    @property
    def cancelled(self) -> bool:
        """Whether the worker was cancelled, or ran out of time: the function is to end."""
        return self._why is not None

    def check(self) -> None:
        """Ends the function where its worker was cancelled; to be called now and then.

        :raises WorkerCancelled: it was; once it is, every call raises.
        """
        if self._why is not None:
            raise WorkerCancelled({"code": "cancelled", "message": self._why})

    def progress(self, stage: str, note: str | None = None) -> None:
        """Says what the function is at.

        :raises RuntimeError: its worker has ended; so for the others below.
        """
        _check_text("stage", stage)
        if note is not None:
            _check_text("note", note)
        self._tell("event", {"type": "progress", "stage": stage, "note": note})

    def partial(self, value: Any) -> None:
        """Gives a part of the result before its end.

        :raises SwarmError: ``invalid_value``: it cannot cross.
        """
        self._tell("partial", {"type": "partial"}, value)

    def artifact(self, name: str, value: Any) -> None:
        """Gives something beside the result, under a name.

        :raises SwarmError: ``invalid_value``: it cannot cross.
        """
        _check_text("name", name)
        self._tell("artifact", {"type": "artifact", "name": name}, value)

    def usage(self, **amounts: float | str) -> None:
        """Says what was used since the last time: ``tokens``, ``input``, ``output``, ``cost``
        (USD), ``model`` and the like. Budgets count it."""
        for name, amount in amounts.items():
            if isinstance(amount, bool) or not isinstance(amount, int | float | str):
                raise TypeError(f"usage takes numbers and texts, and {name} is {amount!r}")
        self._tell("usage", {**amounts, "type": "usage"})

    def _tell(self, what: str, event: dict[str, Any], *value: Any) -> None:
        text = write(event, what)
        if value:
            text += b"\t" + write(value[0], what)
        self._say(text)

    # For who runs the function. --------------------------------------------------------------

    def _enter(self) -> None:
        _CURRENT.set(self)

    def _cancel(self, why: str) -> None:
        self._why = why


def _check_text(what: str, value: object) -> None:
    if not isinstance(value, str):
        raise TypeError(f"the {what} must be a text, and is {value!r}")


class Blocked:
    """What a function returns that cannot go on. Made by :func:`blocked`.

    :ivar value: what it has all the same.
    :ivar reason: why it cannot go on.
    """

    __slots__ = ("reason", "value")

    def __init__(self, value: Any, reason: str) -> None:
        self.value = value
        self.reason = reason


def blocked(value: Any = None, reason: str = "no reason given") -> Blocked:
    """``return blocked(value, reason)``: the worker ends blocked, which is no failure.

    :param value: what it has all the same.
    :param reason: why it cannot go on, for people.
    """
    _check_text("reason", reason)
    return Blocked(value, reason)
