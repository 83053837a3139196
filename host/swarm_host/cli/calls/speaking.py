"""What the commands share that people say to a run with."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from swarm_host.entries import harmless, indented, reason_of
from swarm_host.errors import headline
from swarm_host.serving.addresses import HasEnded, NoRun, connect, find
from swarm_host.serving.client import Client, Gone, Refused

BLOCKED = 3
"""The exit status where a task is blocked, as that of a run is."""

RUN = click.argument("run")
TASK = click.argument("task")

LIVE = ("pending", "running", "suspended")


@contextmanager
def spoken_to(run: str, *, as_person: bool = False) -> Iterator[Client]:
    """A run to speak to; what goes wrong ends the command with one line.

    :param as_person: without the token that there may be in ``SWARM_TOKEN``.
    """
    token = None if as_person else os.environ.get("SWARM_TOKEN")
    try:
        yield Client(connect(find(run)), token or None)
    except Refused as problem:
        said = harmless(f"{problem} ({problem.error.get('code')})")
        raise click.ClickException(said) from None
    except (NoRun, Gone, OSError) as problem:
        said = str(problem)
        if isinstance(problem, NoRun) and not isinstance(problem, HasEnded) and run != "last":
            from swarm_host.cli.looking.ended import how_it_ended

            said = how_it_ended(run) or said
        raise click.ClickException(harmless(said)) from None


def listens(run: str) -> bool:
    """Whether there is a run to speak to."""
    try:
        path = find(run).path
    except (NoRun, OSError):
        return False
    return path.is_socket()


def end_as(state: dict[str, Any]) -> None:
    """Ends the command as a task has ended: where that did not pass, with the reason.

    :param state: how it is: its ``task_id``, ``name``, ``label``, ``status`` and ``error``.
    """
    task, status, error = state["task_id"], state["status"], state.get("error") or {}
    if status == "blocked":
        reason = error.get("reason", "no reason given")
        click.echo(harmless(f"{task} is blocked: {reason}"), err=True)
        sys.exit(BLOCKED)
    if status != "pass":
        raise click.ClickException(harmless(f"{task} {status}: {indented(_why(state, error))}"))


def _why(state: dict[str, Any], error: dict[str, Any]) -> str:
    """Why a task did not pass, without its name: that stands before."""
    status = state["status"]
    if status == "cancelled" and error.get("reason"):
        return str(error["reason"])
    message = reason_of({**state, "reason": error.get("message")})
    return headline({**error, "message": message}) if status == "failed" else message
