"""What a reporter is told, and the words that all of them share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from swarm_host.testing.specs import BrokenFile, Result


@dataclass(slots=True)
class Summary:
    """How a whole run went.

    :ivar seed: what random numbers came from.
    :ivar results: how each spec ended, in the order of running.
    :ivar broken: the spec files that do not load.
    :ivar seconds: of real time.
    :ivar interrupted: the signal that ended it before its time, or None.
    :ivar holder: who had control then, and did not give it back.
    """

    seed: int
    results: list[Result] = field(default_factory=list)
    broken: list[BrokenFile] = field(default_factory=list)
    seconds: float = 0.0
    interrupted: str | None = None
    holder: str | None = None

    def count(self, status: str) -> int:
        """How many specs ended in a way."""
        return sum(result.status == status for result in self.results)

    @property
    def exit_status(self) -> int:
        """0: all passed; 1: there are failures; 2: a file does not load."""
        return 2 if self.broken else 1 if self.count("failed") else 0


class Reporter(Protocol):
    """Tells how a run goes."""

    def begin(self, specs: int, broken: list[BrokenFile], seed: int) -> None:
        """What is about to be run."""

    def result(self, result: Result) -> None:
        """A spec has ended, or was left out."""

    def end(self, summary: Summary) -> None:
        """All is over."""
