"""What the commands share that people say to a run with."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from swarm_host.entries import harmless
from swarm_host.serving.addresses import NoRun, connect, find
from swarm_host.serving.client import Client, Gone, Refused

BLOCKED = 3
"""The exit status where a task is blocked, as that of a run is."""

RUN = click.argument("run")
TASK = click.argument("task")

LIVE = ("pending", "running")


@contextmanager
def spoken_to(run: str) -> Iterator[Client]:
    """A run to speak to; what goes wrong ends the command with one line."""
    try:
        yield Client(connect(find(run)))
    except Refused as problem:
        said = harmless(f"{problem} ({problem.error.get('code')})")
        raise click.ClickException(said) from None
    except (NoRun, Gone, OSError) as problem:
        raise click.ClickException(harmless(str(problem))) from None


def end_as(state: dict[str, Any]) -> None:
    """Ends the command as a task has ended: where that did not pass, with the reason.

    :param state: how it is: its ``task_id``, ``status`` and ``error``.
    """
    task, status, error = state["task_id"], state["status"], state.get("error") or {}
    if status == "blocked":
        reason = error.get("reason", "no reason given")
        click.echo(harmless(f"{task} is blocked: {reason}"), err=True)
        sys.exit(BLOCKED)
    if status != "pass":
        raise click.ClickException(harmless(f"{task} {status}: {error.get('message', '')}"))
