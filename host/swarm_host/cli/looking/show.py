"""``swarm-host show``: what became of a run's tasks."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import click

from swarm_host.cli.looking.lines import (
    AS_JSON,
    RUN,
    counted,
    journal_of,
    reason,
    run_line,
    say,
    task_line,
    titled,
)
from swarm_host.entries import harmless, indented
from swarm_host.journal.reading.readable import json_of, masked
from swarm_host.journal.reading.reader import Reader
from swarm_host.journal.reading.rows import Attempt, Run, Task
from swarm_host.journal.reading.tree import Row, tree, whole_tree
from swarm_host.view.asked import asked
from swarm_host.view.cells import duration, usage
from swarm_host.view.errors import render

_MOST_ASKED = 10
"""Questions that are shown."""
_MOST_OF_A_VALUE = 2000
"""Characters of an input or a result."""


@click.command()
@RUN
@click.argument("task", required=False)
@click.option("--all", "everything", is_flag=True, help="Every task has a line.")
@AS_JSON
def show(run: str, task: str | None, everything: bool, as_json: bool) -> None:
    """Show what became of the tasks of RUN, as a tree; or all that is known of TASK (T-7).

    RUN is its id, a unique prefix of it, last, or the path of its journal. A line a task: name and
    label, status, seconds, attempts, usage, what went wrong. Of those of one name that passed the
    first few have one; with --json each task has, in the order in which they were spawned.
    """
    with journal_of(run) as reader:
        top = None if task is None else reader.task(task)
        if as_json:
            _as_json(reader, top)
            return
        say(_lines(reader, top, everything))


def _as_json(reader: Reader, top: Task | None) -> None:
    if top is not None:
        attempts = [attempt_object(one) for one in _attempts(reader, top)]
        events = [output.event for output in reader.outputs(task=top)]
        known = {**task_object(reader, top), "attempts": attempts, "events": events}
        said = reader.overridden(top)
        known |= {} if said is None else {"overridden": said}
        say([json.dumps(known)])
        return
    say(json.dumps(task_object(reader, task)) for task in reader.tasks())


def _lines(reader: Reader, top: Task | None, everything: bool) -> Iterator[str]:
    run = reader.run()
    now = time.time() if reader.live else None
    if top is None:
        used = usage(reader.used())
        yield f"run {run_line(run)}" + (f"  {used}" if used else "")
        yield from _asked(reader, run)
    else:
        yield task_line(top, now=now, used=reader.used(top.id) if top.ended is None else None)
        yield from _details(reader, top)
    if everything:
        rows: Iterable[Row] = whole_tree(reader, top)
    else:
        rows = tree(reader, run.counts, top)
    for depth, task, left_out in islice(rows, 0 if top is None else 1, None):
        if task is None:
            yield "  " * depth + f"… {counted(left_out).replace(' ', ' more ', 1)}"
        else:
            yield "  " * depth + task_line(task, now=now)


def _asked(reader: Reader, run: Run) -> Iterator[str]:
    """What a run asks."""
    questions = [] if run.status == "pass" else reader.open_questions()
    for one in questions[:_MOST_ASKED]:
        yield f"asks {asked(one)}"
    if len(questions) > _MOST_ASKED:
        more = len(questions) - _MOST_ASKED
        yield f"… {more} more questions: swarm-host answer {run.run_id} lists them"


def _details(reader: Reader, task: Task) -> Iterator[str]:
    """What there is to know of a task beside what its line says."""
    above = next(reader.tasks([task.parent]), None)
    if above is not None:
        yield harmless(f"spawned by: {titled(above)}")
    given = None if task.hidden else reader.value(task.input)
    for name, value in (("input", given), ("result", reader.value(task.value))):
        if value is not None:
            text = value if isinstance(value, str) else json_of(masked(value))
            cut = "" if len(text) <= _MOST_OF_A_VALUE else f"… ({len(text)} characters)"
            yield harmless(indented(f"{name}: {text[:_MOST_OF_A_VALUE]}{cut}"))
    said = reader.overridden(task)
    if said is not None:
        verdict = "it passes" if said["ok"] else "it is blocked"
        why = f" ({said['reason']})" if said.get("reason") else ""
        text = json_of(masked(said.get("value")))[:_MOST_OF_A_VALUE]
        yield harmless(indented(f"overridden by {said['by']}: {verdict}{why}, with {text}"))
    attempts = _attempts(reader, task)
    for one in attempts if len(attempts) > 1 else ():
        times = None if one.began is None or one.ended is None else one.ended - one.began
        words = [one.status, "" if times is None else duration(times), reason(one, task.name)]
        yield harmless(f"attempt {one.number}: {'  '.join(word for word in words if word)}")
    if task.error and task.status != "blocked":
        yield harmless(f"error: {render(task.error)}")


def task_object(reader: Reader, task: Task) -> dict[str, Any]:
    """A task as JSON has it."""
    return {
        "task_id": task.task_id,
        "parent": f"T-{task.parent}" if task.parent else None,
        "name": task.name,
        "kind": task.kind,
        "label": task.label,
        "status": task.status,
        "attempt": task.attempt,
        "spawned": task.spawned,
        "began": task.began,
        "ended": task.ended,
        "seconds": None if task.seconds is None else round(task.seconds, 4),
        "usage": task.used,
        "input": None if task.hidden else reader.value(task.input),
        "value": reader.value(task.value),
        "error": task.error,
    }


def attempt_object(attempt: Attempt) -> dict[str, Any]:
    """An attempt as JSON has it."""
    return {
        "attempt": attempt.number,
        "status": attempt.status,
        "began": attempt.began,
        "ended": attempt.ended,
        "error": attempt.error,
    }


def last_attempt(task: Task) -> Attempt:
    """The last attempt of a task."""
    times = (task.began, task.ended)
    return Attempt(task.id, task.attempt, task.status, *times, task.error)


def _attempts(reader: Reader, task: Task) -> list[Attempt]:
    return [*reader.attempts(task), *([] if task.began is None else [last_attempt(task)])]
