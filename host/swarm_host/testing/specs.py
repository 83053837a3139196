"""What is run and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from swarm_host.view.errors import render

Status = Literal["passed", "failed", "pending", "not run"]


@dataclass(frozen=True, slots=True)
class Group:
    """One ``describe``: its name and the lines that it spans."""

    name: str
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Spec:
    """One ``it``.

    :ivar file: the path of its spec file, as the user wrote it or as it was found.
    :ivar name: its full name, those of the groups around it included.
    :ivar where: ``file:line`` of the ``it``, which may be in a module.
    :ivar first: the line where it begins.
    :ivar last: the line where it ends.
    :ivar pending: it has nothing to run yet.
    :ivar groups: the ``describe`` around it, from the outside in.
    """

    file: str
    name: str
    where: str
    first: int
    last: int
    pending: bool
    groups: tuple[Group, ...]

    @property
    def title(self) -> str:
        """The name on one line."""
        return " ".join(self.name.split())


@dataclass(frozen=True, slots=True)
class Result:
    """How one spec ended.

    :ivar seconds: of real time, loading included.
    :ivar error: the error's fields where it failed.
    :ivar said: what it printed and logged.
    """

    spec: Spec
    status: Status
    seconds: float = 0.0
    error: dict[str, Any] | None = None
    said: str = ""

    @property
    def text(self) -> str:
        """The error as a reader takes it in: message, place, the author's frames."""
        return render(self.error) if self.error is not None else ""


@dataclass(frozen=True, slots=True)
class BrokenFile:
    """A spec file that does not load."""

    file: str
    error: dict[str, Any]
    said: str = ""

    @property
    def text(self) -> str:
        """The error as a reader takes it in."""
        return render(self.error)


def from_listed(file: str, listed: dict[str, Any]) -> Spec:
    """A spec from what the host lists."""
    groups = tuple(
        Group(group["name"], int(group["first"]), int(group["last"]))
        for group in listed.get("groups") or ()
    )
    return Spec(
        file=file,
        name=listed["name"],
        where=listed["where"],
        first=int(listed["first"]),
        last=int(listed["last"]),
        pending=bool(listed["pending"]),
        groups=groups,
    )
