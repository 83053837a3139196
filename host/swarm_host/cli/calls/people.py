"""``swarm-host ps|spawn|join|tail|cancel RUN``: what people say to a run."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from swarm_host.entries import harmless, one_line
from swarm_host.serving.addresses import HasEnded, NoRun, Run, connect, find, runs
from swarm_host.serving.client import Client, Gone, Refused

_FOLLOW_SECONDS = 30.0
_MOST_SAID = 200
_OVERVIEW_SECONDS = 5.0

RUN = click.argument("run")
TASK = click.argument("task", metavar="TASK")


@contextmanager
def _spoken_to(run: str) -> Iterator[Client]:
    """A run to speak to; what goes wrong ends the command with one line."""
    try:
        yield Client(connect(find(run)))
    except Refused as problem:
        said = harmless(f"{problem} ({problem.error.get('code')})")
        raise click.ClickException(said) from None
    except (NoRun, Gone, OSError) as problem:
        said = str(problem)
        if isinstance(problem, NoRun) and not isinstance(problem, HasEnded) and run != "last":
            from swarm_host.cli.looking.ended import how_it_ended

            said = how_it_ended(run) or said
        raise click.ClickException(harmless(said)) from None


@click.command()
@click.argument("run", required=False)
@click.option("--json", "as_json", is_flag=True, help="JSON: all that is known of each.")
def ps(run: str | None, as_json: bool) -> None:
    """List the live workers of RUN (its id, the beginning of it, or last), or all runs.

    A line a worker: its task, name and label, status, seconds, what it waits for, last words.
    """
    if run is None:
        try:
            listening = runs()
        except OSError as problem:
            raise click.ClickException(str(problem)) from None
        found = [one for one in map(_overview, listening) if one]
        if as_json:
            click.echo(json.dumps(found))
        for one in () if as_json else found:
            running, seconds = one["counts"]["running"], one["seconds"]
            line = f"{one['run_id']}  {one['script']}  {running} running  {seconds:.0f} s"
            click.echo(harmless(line))
        return
    with _spoken_to(run) as client:
        said = client.ask("read_task_state")
    if as_json:
        click.echo(json.dumps(said))
        return
    counts = said["counts"]
    told = ", ".join(f"{counts[name]} {name}" for name in counts if counts[name] and name != "live")
    head = f"run {said['run_id']}, {said['seconds']:.0f} s: {told or 'nothing runs'}"
    click.echo(harmless(head))
    waits = {one["task_id"]: one for one in said["waiting"]}
    for row in said["rows"]:
        click.echo(_line(row, waits))


def _overview(run: Run) -> dict[str, Any] | None:
    """What a run says of itself; None: it has ended meanwhile, or does not answer soon."""
    try:
        with connect(run) as connection:
            connection.settimeout(_OVERVIEW_SECONDS)
            said: dict[str, Any] = Client(connection).ask("read_task_state")
    except (NoRun, Gone, Refused, OSError):
        return None
    return {name: said[name] for name in ("run_id", "script", "seconds", "counts")}


def _line(row: dict[str, Any], waits: dict[str, dict[str, Any]]) -> str:
    task = str(row.get("task_id", ""))
    label = f" [{row['label']}]" if row.get("label") else ""
    seconds = row.get("seconds")
    words = [
        "  " * int(row.get("depth", 0)) + f"{task} {row.get('name') or 'function'}{label}",
        str(row.get("status", "")),
        f"{seconds:.0f} s" if isinstance(seconds, (int, float)) else "",
    ]
    if task in waits:
        words.append(f"waits for {waits[task]['waits_for']} at {waits[task]['where']}")
    said = row.get("said") or row.get("stage") or ""
    words.append(one_line(str(said))[:_MOST_SAID])
    return harmless("  ".join(word for word in words if word))


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
    with _spoken_to(run) as client:
        click.echo(client.ask("start_task", name=name, input=value, **options)["task_id"])


@click.command()
@RUN
@TASK
@click.option("--timeout", type=float, help="Seconds to wait at most.")
def join(run: str, task: str, timeout: float | None) -> None:
    """Wait for TASK (T-7) of RUN and print its result; it fails as that did."""
    wait = {} if timeout is None else {"wait": timeout}
    with _spoken_to(run) as client:
        ended = client.ask("poll_task", task_id=task, **wait)
    value, status = ended.get("value"), ended["status"]
    if value is not None:
        click.echo(value if isinstance(value, str) else json.dumps(value))
    if status in ("pending", "running"):
        raise click.ClickException(f"{task} has not ended within {timeout:g} s: it is {status}")
    if status not in ("pass", "blocked"):
        error = ended.get("error") or {}
        raise click.ClickException(harmless(f"{task} {status}: {error.get('message', '')}"))
    if status == "blocked":
        reason = (ended.get("error") or {}).get("reason", "no reason given")
        click.echo(f"blocked: {harmless(str(reason))}", err=True)
        sys.exit(3)


@click.command()
@RUN
@click.argument("task", required=False)
@click.option("-f", "--follow", is_flag=True, help="Go on until it has ended.")
@click.option("--json", "as_json", is_flag=True, help="An event a line, as JSON.")
def tail(run: str, task: str | None, follow: bool, as_json: bool) -> None:
    """Print what TASK (T-7) of RUN has said, an event a line; without TASK, what RUN did last.

    Of a run that has ended it is read from its journal.
    """
    if task is None or not _listens(run):
        from swarm_host.cli.looking.tail import tail_journal

        tail_journal(run, task, follow, as_json)
        return
    since, attempt = 0, None
    more: dict[str, int]
    with _spoken_to(run) as client:
        while True:
            more = {} if attempt is None else {"attempt": attempt}
            wait = {"wait": _FOLLOW_SECONDS} if follow else {}
            state = client.ask("read_task_state", task_id=task, since=since, **more, **wait)
            for event in state["events"]:
                since = event["seq"]
                click.echo(json.dumps(event))
            attempt = state["attempt"]
            over = state["status"] not in ("pending", "running")
            if not state.get("more") and (not follow or (over and not state["events"])):
                return


def _listens(run: str) -> bool:
    try:
        find(run)
    except (NoRun, OSError):
        return False
    return not run.endswith(".journal")


@click.command()
@RUN
@click.argument("task", required=False)
@click.argument("reason", required=False)
def cancel(run: str, task: str | None, reason: str | None) -> None:
    """Cancel TASK (T-7) of RUN, with all below it; without TASK, the run, as Ctrl-C does."""
    why = {} if reason is None else {"reason": reason}
    with _spoken_to(run) as client:
        if task is None:
            client.ask("read_task_state")  # what the run has started itself is refused
            _end(client.process())
        elif not client.ask("cancel_task", task_id=task, **why)["was_live"]:
            raise click.ClickException(f"{task} has ended already")


def _end(process: int) -> None:
    if process == 0:
        raise click.ClickException("its process is none of this container's: cancel it there")
    os.kill(process, signal.SIGTERM)
