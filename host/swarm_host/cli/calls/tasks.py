"""``swarm-host spawn|join|cancel RUN``: a task of a run, from outside."""

from __future__ import annotations

import os
import signal

import click

from swarm_host.cli.calls.speaking import LIVE, RUN, TASK, end_as, spoken_to
from swarm_host.cli.given import read_json_or_text
from swarm_host.cli.words import TIMED_OUT, Seconds, refuse
from swarm_host.view.outputs import result_of


@click.command()
@RUN
@click.argument("name")
@click.argument("input", required=False)
@click.option("--text", is_flag=True, help="INPUT is a text, whatever it looks like.")
@click.option("--label", help="Which of many it is.")
@click.option("--timeout", type=Seconds(), metavar="S", help="Seconds that it may take.")
def spawn(
    run: str, name: str, input: str | None, text: bool, label: str | None, timeout: float | None
) -> None:
    """Spawn worker NAME in RUN, and print its task.

    INPUT is JSON, or else a text; what begins with { or [ must be JSON, unless with --text. @FILE
    and - (standard input) are read, and the same holds for what is in them.
    """
    value = None if input is None else read_json_or_text(input, "INPUT", as_text=text)
    options = {key: one for key, one in (("label", label), ("timeout", timeout)) if one is not None}
    with spoken_to(run) as client:
        click.echo(client.ask("start_task", name=name, input=value, **options)["task_id"])


@click.command()
@RUN
@TASK
@click.option(
    "--timeout",
    type=Seconds(or_none_at_all=True),
    metavar="S",
    help="Seconds to wait at most; 0 only asks.",
)
def join(run: str, task: str, timeout: float | None) -> None:
    """Wait for TASK (T-7) of RUN.

    Prints its result, and fails as that did: status 1, 3 where it is blocked, 124 where the time is
    up.
    """
    wait = {} if timeout is None else {"wait": timeout}
    with spoken_to(run) as client:
        ended = client.ask("poll_task", task_id=task, **wait)
    value, status = ended.get("value"), ended["status"]
    if value is not None:
        click.echo(result_of(value), nl=False)
    if status in LIVE:
        refuse(f"{task} has not ended within {timeout:g} s: it is {status}", TIMED_OUT)
    end_as(ended)


@click.command()
@RUN
@click.argument("task", required=False)
@click.argument("reason", required=False)
def cancel(run: str, task: str | None, reason: str | None) -> None:
    """Cancel TASK (T-7) of RUN, with all below it; without TASK, the run, as Ctrl-C does."""
    why = {} if reason is None else {"reason": reason}
    with spoken_to(run, as_person=task is None) as client:
        if task is None:
            client.ask("read_task_state")  # what the run has started itself is refused
            _end(client.process())
        elif not client.ask("cancel_task", task_id=task, **why)["was_live"]:
            raise click.ClickException(f"{task} has ended already")


def _end(process: int) -> None:
    if process == 0:
        raise click.ClickException("its process is none of this container's: cancel it there")
    os.kill(process, signal.SIGTERM)
