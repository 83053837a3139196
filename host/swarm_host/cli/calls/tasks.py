"""``swarm-host spawn|join|cancel RUN``: a task of a run, from outside."""

from __future__ import annotations

import json
from typing import Any

import click

from swarm_host.cli.calls.speaking import LIVE, RUN, TASK, end_as, spoken_to
from swarm_host.view.outputs import result_of


@click.command()
@RUN
@click.argument("name")
@click.argument("input", required=False)
@click.option("--label", help="Which of many it is.")
@click.option("--timeout", type=float, help="Seconds that it may take.")
def spawn(run: str, name: str, input: str | None, label: str | None, timeout: float | None) -> None:
    """Spawn worker NAME in RUN, with INPUT: JSON, or a text that is none. Prints its task."""
    value: Any = None
    if input is not None:
        try:
            value = json.loads(input)
        except ValueError:
            value = input
    options = {key: one for key, one in (("label", label), ("timeout", timeout)) if one is not None}
    with spoken_to(run) as client:
        click.echo(client.ask("start_task", name=name, input=value, **options)["task_id"])


@click.command()
@RUN
@TASK
@click.option("--timeout", type=float, help="Seconds to wait at most.")
def join(run: str, task: str, timeout: float | None) -> None:
    """Wait for TASK (T-7) of RUN and print its result; it fails as that did."""
    wait = {} if timeout is None else {"wait": timeout}
    with spoken_to(run) as client:
        ended = client.ask("poll_task", task_id=task, **wait)
    value, status = ended.get("value"), ended["status"]
    if value is not None:
        click.echo(result_of(value), nl=False)
    if status in LIVE:
        raise click.ClickException(f"{task} has not ended within {timeout:g} s: it is {status}")
    end_as(ended)


@click.command()
@RUN
@TASK
@click.argument("reason", required=False)
def cancel(run: str, task: str, reason: str | None) -> None:
    """Cancel TASK (T-7) of RUN, with all below it."""
    why = {} if reason is None else {"reason": reason}
    with spoken_to(run) as client:
        if not client.ask("cancel_task", task_id=task, **why)["was_live"]:
            raise click.ClickException(f"{task} has ended already")
