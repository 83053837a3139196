"""``swarm-host tail`` of what a journal has: all tasks of a run, or one of a run that does not
listen any more."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import click

from swarm_host.cli.calls.speaking import BLOCKED, LIVE, end_as
from swarm_host.cli.looking.lines import journal_of, reason, say
from swarm_host.entries import harmless, worker_of
from swarm_host.journal.reading.reader import Reader
from swarm_host.journal.reading.rows import Output, Task
from swarm_host.view.outputs import lines_of

_LAST = 20
"""Events and ends of tasks of a whole run that are told."""
_LOOK_SECONDS = 0.2
_REST = 5
"""While a run is followed, so many times as long as a look took nobody looks again."""
_DIGITS = 4
"""Of a second, with which a journal says when a task ended; what it said then came before."""


def tail_journal(run: str, task: str | None, follow: bool, as_json: bool) -> None:
    """Prints what a task has said, or what a run has done last.

    :param follow: until it has ended.
    :param as_json: an object a line.
    """
    with journal_of(run) as reader:
        if task is None:
            _tail_run(reader, follow, as_json)
        else:
            _tail_task(reader, task, follow, as_json)


def _looks(reader: Reader, follow: bool) -> Iterator[None]:
    """One look, or as many as there is something new until the run has ended."""
    while True:
        goes_on = follow and reader.goes_on()
        began = time.monotonic()
        if reader.has_changed():
            yield
        if not goes_on:
            return
        time.sleep(max(_LOOK_SECONDS, _REST * (time.monotonic() - began)))


# A whole run. ------------------------------------------------------------------------------------


class _Said(NamedTuple):
    """A line of the run's tail.

    :ivar event: None: the task has ended.
    """

    at: float
    task: Task
    output: Output | None


def _tail_run(reader: Reader, follow: bool, as_json: bool) -> None:
    row, nth = max(0, reader.last_row() - _LAST), -_LAST
    for first, _ in enumerate(_looks(reader, follow)):
        outputs = list(reader.outputs(row))
        ends = reader.ended_since(nth)
        row = outputs[-1].row if outputs else row
        nth = ends[-1][0] if ends else max(nth, 0)
        wanted = {output.task for output in outputs} | {number for _, number in ends}
        tasks = {task.id: task for task in reader.tasks(wanted)}
        said = [_Said(one.event["at"], tasks[one.task], one) for one in outputs]
        said += [_Said(tasks[one].ended or 0.0, tasks[one], None) for _, one in ends]
        said.sort(key=lambda one: round(one.at, _DIGITS))
        for one in said[0 if first else -_LAST :]:
            say([json.dumps(_object(one))] if as_json else _lines(one))
    with Reader(reader.path) as now:
        status = now.run().status
    more = "" if follow or status != "running" else "; tail -f goes on until it has ended"
    click.echo(f"run {reader.run_id}: {status}{more}", err=True)
    if status == "blocked":
        sys.exit(BLOCKED)
    if status not in ("pass", "running"):
        sys.exit(1)


def _object(said: _Said) -> dict[str, Any]:
    """A line as JSON has it: as ``--events`` writes it."""
    task = said.task
    known: dict[str, Any] = {"task_id": task.task_id, "name": task.name, "label": task.label}
    if said.output is not None:
        attempt, event = said.output.attempt, said.output.event
        kind = {"type": "worker_output", "at": said.at}
        return {**kind, **known, "attempt": attempt, "event": event}
    kind = {"type": f"task_{task.status}", "at": said.at}
    return {**kind, **known, "attempt": task.attempt, "error": task.error}


def _lines(said: _Said) -> Iterator[str]:
    task = said.task
    who = worker_of({"name": task.name, "task_id": task.task_id, "label": task.label})
    if said.output is not None:
        yield from lines_of(said.output.event, who)
    else:
        why = reason(task, task.name)
        yield harmless(f"{_clock(said.at)} {who}{task.status}{f': {why}' if why else ''}")


def _clock(at: float) -> str:
    return time.strftime("%H:%M:%S", time.localtime(at))


# One task. ---------------------------------------------------------------------------------------


def _tail_task(reader: Reader, name: str, follow: bool, as_json: bool) -> None:
    task = reader.task(name)
    row, attempt = 0, task.attempt
    for _ in _looks(reader, follow and task.ended is None):
        for output in reader.outputs(row, task):
            row = output.row
            if output.attempt > attempt and not as_json:
                say([f"attempt {output.attempt}"])
            attempt = max(attempt, output.attempt)
            say([json.dumps(output.event)] if as_json else lines_of(output.event))
        if reader.task(name).ended is not None:
            break
    with Reader(reader.path) as now:
        _end_as(now.task(name), follow)


def _end_as(task: Task, followed: bool) -> None:
    """Ends the command as the task has ended."""
    if task.status in LIVE:
        more = "" if followed else "; tail -f goes on until it has ended"
        click.echo(f"{task.task_id} is {task.status}{more}", err=True)
        return
    known = {"name": task.name, "label": task.label, "error": task.error}
    if task.status == "interrupted":
        known["error"] = {"message": "its run was killed"}
    end_as({"task_id": task.task_id, "status": task.status, **known})
    click.echo(f"{task.task_id} passed", err=True)
