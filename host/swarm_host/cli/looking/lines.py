"""What the commands share that look at journals: how they find one, and how a task is a line."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import click

from swarm_host.entries import harmless, one_line, reason_of
from swarm_host.errors import headline
from swarm_host.journal.places import NoJournal, find
from swarm_host.journal.reading.reader import Reader
from swarm_host.journal.reading.rows import Attempt, Run, Task
from swarm_host.view.cells import duration, usage

_MOST_SAID = 200
_ENDS = ("failed", "timeout", "cancelled", "blocked", "waiting", "interrupted")

RUN = click.argument("run")
AS_JSON = click.option("--json", "as_json", is_flag=True, help="JSON, an object a line.")


@contextmanager
def journal_of(run: str) -> Iterator[Reader]:
    """The journal of a run, to be read; what is wrong with it ends the command with one line."""
    with told(), Reader(find(run)) as reader:
        yield reader


@contextmanager
def told() -> Iterator[None]:
    """What is wrong with a journal ends the command with one line."""
    try:
        yield
    except NoJournal as problem:
        raise click.ClickException(harmless(str(problem))) from None
    except (TypeError, ValueError, KeyError, AttributeError, OverflowError, RecursionError) as odd:
        said = f"the journal cannot be read ({odd!r}): is it damaged? It was left as it is"
        raise click.ClickException(harmless(said)) from None


def say(lines: Iterable[str]) -> None:
    """Prints lines, of which there may be millions."""
    sys.stdout.writelines(f"{line}\n" for line in lines)
    sys.stdout.flush()


def run_line(run: Run) -> str:
    """A run on one line: id, script, when, how long, status, tasks."""
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(run.began))
    tasks = f"{run.tasks} task{'' if run.tasks == 1 else 's'}"
    ends = counted({name: many for name, many in run.counts.items() if name != "pass"})
    words = [run.run_id, run.script or "(embedded)", when, duration(run.seconds), run.status]
    return harmless("  ".join([*words, f"{tasks}: {ends}" if ends else tasks]))


def counted(counts: Mapping[str, int]) -> str:
    """How many tasks are how, such as ``96 passed, 1 failed``."""
    names = ("running", "pending", "pass", *_ENDS, "")
    said = [(counts.get(name), {"pass": "passed", "": "tasks"}.get(name, name)) for name in names]
    return ", ".join(f"{many} {name}" for many, name in said if many)


def titled(task: Task) -> str:
    """A task as lines begin with it: ``T-7 count [a.md]``."""
    label = f" [{task.label}]" if task.label else ""
    return f"{task.task_id} {one_line(task.name)}{label}"


def task_line(task: Task, *, now: float | None, used: Mapping[str, Any] | None = None) -> str:
    """A task on one line: name and label, status, seconds, attempts, usage, what went wrong.

    :param now: Unix time where its run goes on.
    :param used: what it has used, where it has not ended.
    """
    words = [titled(task), task.status, seconds_of(task, now)]
    if task.attempt > 1:
        words.append(f"attempt {task.attempt}")
    words += [usage(task.used or used or {}), reason(task, task.name)[:_MOST_SAID]]
    return harmless("  ".join(word for word in words if word))


def seconds_of(task: Task, now: float | None) -> str:
    """How long the last attempt of a task took, or goes on."""
    seconds = task.seconds
    if seconds is None and task.began is not None and now is not None and task.ended is None:
        seconds = now - task.began
    return "" if seconds is None else duration(max(0.0, seconds))


def reason(ended: Task | Attempt, name: str) -> str:
    """Why a task, or an attempt of it, ended as it did, on one line; nothing where it passed.

    :param name: the task's.
    """
    error = ended.error
    if not error:
        return ""
    of = {"name": error.get("name") or name, "label": error.get("label")}
    is_said = ended.status == "blocked" and "reason" in error
    said = str(error["reason"]) if is_said else headline(error)
    return one_line(reason_of({**of, "reason": said}))
