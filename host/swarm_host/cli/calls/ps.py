"""``swarm-host ps``: which runs there are, and who is at work in one."""

from __future__ import annotations

import json
from typing import Any

import click

from swarm_host.cli.calls.speaking import spoken_to
from swarm_host.entries import harmless
from swarm_host.serving.addresses import NoRun, Run, connect, runs
from swarm_host.serving.client import Client, Gone, Refused
from swarm_host.view.cells import duration
from swarm_host.view.fronts.tree import said_of
from swarm_host.view.progress import progress_line

_MOST_SAID = 200
_OVERVIEW_SECONDS = 5.0


@click.command()
@click.argument("run", required=False)
@click.option("--json", "as_json", is_flag=True, help="JSON: all that is known of each.")
def ps(run: str | None, as_json: bool) -> None:
    """List all runs, or who works in RUN.

    RUN is an id, the beginning of one, or last. A line a worker: its task, name and label, status,
    seconds, what it waits for, last words.
    """
    if run is None:
        _runs(as_json)
        return
    with spoken_to(run, as_person=True) as client:
        said = client.ask("read_task_state")
    if as_json:
        click.echo(json.dumps(said))
        return
    click.echo(harmless(f"run {said['run_id']}: {progress_line(said['counts'], said['seconds'])}"))
    waits = {one["task_id"]: one for one in said["waiting"]}
    for row in said["rows"]:
        click.echo(_line(row, waits))


def _runs(as_json: bool) -> None:
    try:
        listening = runs()
    except OSError as problem:
        raise click.ClickException(str(problem)) from None
    found = [one for one in map(_overview, listening) if one]
    if as_json:
        click.echo(json.dumps(found))
        return
    for one in found:
        running, seconds = one["counts"]["running"], duration(one["seconds"])
        click.echo(harmless(f"{one['run_id']}  {one['script']}  {running} running  {seconds}"))


def _overview(run: Run) -> dict[str, Any] | None:
    """What a run says of itself; None: it has ended meanwhile, or does not answer soon."""
    try:
        with connect(run) as connection:
            connection.settimeout(_OVERVIEW_SECONDS)
            said: dict[str, Any] = Client(connection).ask("read_task_state")
    except (NoRun, Gone, Refused, OSError):
        return None
    about = {name: said[name] for name in ("run_id", "script", "seconds", "counts")}
    return {**about, "socket": str(run.path)}


def _line(row: dict[str, Any], waits: dict[str, dict[str, Any]]) -> str:
    task = str(row.get("task_id", ""))
    label = f" [{row['label']}]" if row.get("label") else ""
    seconds = row.get("seconds")
    words = [
        "  " * int(row.get("depth", 0)) + f"{task} {row.get('name') or 'function'}{label}",
        str(row.get("status", "")),
        duration(seconds) if isinstance(seconds, (int, float)) else "",
    ]
    if task in waits:
        words.append(f"waits for {waits[task]['waits_for']} at {waits[task]['where']}")
    words.append(said_of(row)[:_MOST_SAID])
    return harmless("  ".join(word for word in words if word))
