"""What a run comes to, as the exit status of its process."""

from __future__ import annotations

from swarm_host.cli.words import TIMED_OUT
from swarm_host.outcome import Outcome

LATER = 75
"""To be run again later: sysexits.h, EX_TEMPFAIL."""

_EXIT = {"pass": 0, "failed": 1, "blocked": 3, "timeout": TIMED_OUT, "cancelled": 1}


def asks(outcome: Outcome) -> bool:
    """Whether it has ended because only answers to questions can move it."""
    return outcome.error is not None and outcome.error["code"] == "unanswered"


def status_of(outcome: Outcome) -> int:
    """The exit status."""
    error = outcome.error or {}
    is_later = error.get("code") in ("limited", "unanswered") and error.get("of_run")
    return LATER if is_later else _EXIT[outcome.status]
