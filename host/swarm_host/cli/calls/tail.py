"""``swarm-host tail``: what a task says, as it says it, and how it ends."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import click

from swarm_host.cli.calls.speaking import LIVE, RUN, end_as, listens, spoken_to
from swarm_host.serving.client import Client
from swarm_host.view.outputs import lines_of

_FOLLOW_SECONDS = 30.0


@click.command()
@RUN
@click.argument("task", required=False)
@click.option("-f", "--follow", is_flag=True, help="Go on until it has ended, by all attempts.")
@click.option("--json", "as_json", is_flag=True, help="An event a line, as JSON.")
def tail(run: str, task: str | None, follow: bool, as_json: bool) -> None:
    """Print what TASK (T-7) of RUN has said; without TASK, what RUN did last.

    That is of its last attempt: a line each, with the time and what it is. Of a run that has ended
    it is read from its journal.

    The last line, on standard error, says how the task ended, and the exit status is as that of
    join: 0 where it passed or goes on, 1 where it failed, 3 where it is blocked.
    """
    if task is None or not listens(run):
        from swarm_host.cli.looking.tail import tail_journal

        tail_journal(run, task, follow, as_json)
        return
    state: dict[str, Any] = {}
    with spoken_to(run) as client:
        for state in _states(client, task, follow):
            if state["began"] and not as_json:
                click.echo(f"attempt {state['began']}")
            for event in state["events"]:
                for line in [json.dumps(event)] if as_json else lines_of(event):
                    click.echo(line)
    if state["status"] in LIVE:
        more = "" if follow else "; tail -f goes on until it has ended"
        click.echo(f"{state['task_id']} is {state['status']}{more}", err=True)
        return
    end_as(state)
    click.echo(f"{state['task_id']} passed", err=True)


def _states(client: Client, task: str, follow: bool) -> Iterator[dict[str, Any]]:
    """How a task is, again and again: each with the ``events`` since the one before, and with the
    number of an attempt that ``began`` meanwhile."""
    since = 0
    attempt: int | None = None
    began: int | None = None
    wait = {"wait": _FOLLOW_SECONDS} if follow else {}
    while True:
        state = client.ask("read_task_state", task_id=task, since=since, attempt=attempt, **wait)
        yield {**state, "began": began}
        began = None
        if attempt is None:
            attempt = state["attempt"]
        for event in state["events"]:
            since = event["seq"]
        if state.get("more") or (follow and state["events"]):
            continue
        if not follow:
            return
        if attempt < state["attempt"]:
            attempt = began = attempt + 1
            since = 0
        elif state["status"] not in LIVE:
            return
