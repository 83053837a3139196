"""``swarm-host runs``: the runs that have left a journal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from swarm_host.cli.looking.lines import AS_JSON, run_line, told
from swarm_host.entries import harmless
from swarm_host.journal.places import NoJournal, journals
from swarm_host.journal.reading.reader import Reader
from swarm_host.journal.reading.rows import Run


@click.command()
@AS_JSON
def runs(as_json: bool) -> None:
    """List the runs that have left a journal, and those that go on: the last to begin is the last.

    A line a run: id, script, when it began, how long it took, status, tasks.
    """
    with told():
        found = journals()
    for path in found:
        try:
            with Reader(path) as reader:
                run = reader.run()
        except NoJournal as problem:
            said: dict[str, Any] = {"run_id": path.stem, "journal": str(path)}
            one = {**said, "problem": str(problem)}
            click.echo(json.dumps(one) if as_json else harmless(f"{path.stem}  {problem}"))
            continue
        click.echo(json.dumps(as_object(run, path)) if as_json else run_line(run))


def as_object(run: Run, path: Path) -> dict[str, Any]:
    """A run as JSON has it."""
    return {
        "run_id": run.run_id,
        "script": run.script,
        "cwd": run.cwd,
        "began": run.began,
        "ended": run.ended,
        "seconds": round(run.seconds, 4),
        "status": run.status,
        "tasks": run.tasks,
        "counts": run.counts,
        "journal": str(path),
    }
