"""``swarm-host export``: a run for other programs."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import click

from swarm_host.cli.looking.lines import RUN, journal_of, reason, say
from swarm_host.cli.looking.runs import as_object
from swarm_host.cli.looking.show import attempt_object, last_attempt, task_object
from swarm_host.journal.reading.lanes import Lanes, Slice
from swarm_host.journal.reading.reader import Reader
from swarm_host.journal.reading.rows import Attempt, Run, Task

_OF_THE_RUN = 1
"""The one process of the trace."""


@click.command()
@RUN
@click.option(
    "--format",
    "form",
    type=click.Choice(["jsonl", "trace"]),
    default="jsonl",
    help="jsonl (default): an object a line. trace: for chrome://tracing and ui.perfetto.dev.",
)
def export(run: str, form: str) -> None:
    """Print all that is known of RUN.

    As JSON lines, each with its "type": the run, then each task with its attempts, then the events
    of output tails in the order in which they were written. As a trace (Chrome's trace event
    format): a slice for each task, and within it one for each attempt where there were several.
    """
    with journal_of(run) as reader:
        say(_lines(reader) if form == "jsonl" else _trace(reader))


def _lines(reader: Reader) -> Iterator[str]:
    yield _typed("run", as_object(reader.run(), reader.path))
    for task, attempts in _with_attempts(reader):
        yield _typed("task", task_object(reader, task))
        for attempt in attempts:
            yield _typed("attempt", {"task_id": task.task_id, **attempt_object(attempt)})
    for _, number, attempt_number, event in reader.outputs():
        said = {"task_id": f"T-{number}", "attempt": attempt_number, "event": event}
        yield _typed("event", said)


def _typed(kind: str, fields: dict[str, Any]) -> str:
    return json.dumps({"type": kind, **fields})


def _with_attempts(reader: Reader) -> Iterator[tuple[Task, list[Attempt]]]:
    """Each task with its attempts, of those that have begun."""
    followed = reader.attempts()
    ahead = next(followed, None)
    for task in reader.tasks():
        attempts = []
        while ahead is not None and ahead.task <= task.id:
            attempts += [ahead] if ahead.task == task.id else []
            ahead = next(followed, None)
        if task.began is not None:
            attempts.append(last_attempt(task))
        yield task, attempts


# As a trace. -------------------------------------------------------------------------------------


def _trace(reader: Reader) -> Iterator[str]:
    run = reader.run()
    lanes = Lanes()
    for one, _ in _slices(reader, run):
        lanes.add(one)
    given = lanes.given()
    yield '{"traceEvents":['
    title = f"swarm-host {run.script} ({run.run_id})"
    yield _event("M", name="process_name", args={"name": title})
    for lane in range(max(given, default=-1) + 1):
        for name, args in (
            ("thread_name", {"name": f"lane {lane + 1}"}),
            ("thread_sort_index", {"sort_index": lane}),
        ):
            yield "," + _event("M", name=name, tid=lane + 1, args=args)
    for (one, said), lane in zip(_slices(reader, run), given, strict=False):
        times = {"ts": one.start, "dur": max(0, one.end - one.start)}
        yield "," + _event("X", **times, tid=lane + 1, **said)
    began = {"run_id": run.run_id, "began": run.began}
    yield f'],"displayTimeUnit":"ms","otherData":{json.dumps(began)}}}'


def _event(phase: str, **fields: Any) -> str:
    return json.dumps({"ph": phase, "pid": _OF_THE_RUN, **fields})


def _slices(reader: Reader, run: Run) -> Iterator[tuple[Slice, dict[str, Any]]]:
    """When each task ran, and what is said of it; those of several attempts with each of these."""
    over = time.time() if run.ended is None else run.ended

    def micros(at: float | None) -> int:
        return round(((over if at is None else at) - run.began) * 1e6)

    for task, attempts in _with_attempts(reader):
        if not attempts:
            continue  # it has not begun
        starts = [one.began for one in attempts if one.began is not None]
        start, end = micros(min(starts)), micros(task.ended)
        title = f"{task.name} [{task.label}]" if task.label else task.name
        args = {
            "task_id": task.task_id,
            "parent": f"T-{task.parent}" if task.parent else None,
            "status": task.status,
            "attempts": len(attempts),
            "usage": task.used,
            "error": reason(task, task.name),
        }
        known = {"name": title, "cat": task.kind, "args": {k: v for k, v in args.items() if v}}
        yield Slice(task.id, task.parent, start, end), known
        for one in attempts if len(attempts) > 1 else ():
            name = {"name": f"attempt {one.number}", "cat": "attempt"}
            how = {"task_id": task.task_id, "status": one.status}
            begun = start if one.began is None else micros(one.began)
            yield Slice(task.id, task.id, begun, micros(one.ended)), {**name, "args": how}
