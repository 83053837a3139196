"""``swarm-host prune``: what runs have left, worktrees and journals, listed or removed."""

from __future__ import annotations

import json
import re
import sys
import time
from typing import Any

import anyio
import click

from swarm_host.entries import harmless
from swarm_host.errors import words_of
from swarm_host.journal.places import NoJournal, folder
from swarm_host.journal.pruning import Kept, kept, remove
from swarm_host.journal.reading.reader import Reader
from swarm_host.ports.contract import PortError
from swarm_host.ports.worktrees.git import Repository, Tree
from swarm_host.ports.worktrees.records import forget, left
from swarm_host.view.cells import amount

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


class _Age(click.ParamType):  # type: ignore[type-arg]
    """How old something is, such as ``30d``; in seconds."""

    name = "age"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """The seconds that a text says."""
        if isinstance(value, float):
            return value
        said = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd])", str(value))
        if said is None:
            self.fail(f"{value} is no age: write 30d, 12h, 5m or 10s.", param, ctx)
        return float(said[1]) * _UNITS[said[2]]


@click.command()
@click.option("--yes", is_flag=True, help="Remove ended runs, and worktrees that hold no work.")
@click.option("--changed", is_flag=True, help="Remove worktrees that hold changes or commits too.")
@click.option(
    "--older-than",
    type=_Age(),
    default=0.0,
    metavar="AGE",
    help="Only runs that ended so long ago: 30d, 12h, 5m.",
)
@click.option("--json", "as_json", is_flag=True, help="A JSON object for each, on a line.")
def prune(*, yes: bool, changed: bool, older_than: float, as_json: bool) -> None:
    """List what ended runs have left, their worktrees and their journals, and remove it.

    Those of runs that go on, or wait for answers, are left alone. A branch that has commits stays,
    and so does what is no journal or cannot be read. A run whose journal is removed cannot be
    resumed or shown any more.
    """
    worktrees = anyio.run(_prune_worktrees, yes, changed, as_json)
    journals = _prune_journals(yes, older_than, as_json)
    sys.exit(worktrees or journals)


async def _prune_worktrees(yes: bool, changed: bool, as_json: bool) -> int:
    status = 0
    for tree in left():
        one: dict[str, str | bool | None] = {
            "path": tree.path,
            "branch": tree.branch,
            "repository": tree.repository,
        }
        try:
            one["holds"] = holds = await tree.holds()
            removed = (yes or changed) and (changed or not holds)
            if removed:
                await _remove(tree)
            one["removed"] = removed
        except PortError as problem:
            one["problem"], status = problem.message, 1
        click.echo(json.dumps(one, sort_keys=True) if as_json else _line(one))
    return status


async def _remove(tree: Tree) -> None:
    await Repository(tree.repository).remove(tree)
    forget(tree)


def _line(one: dict[str, str | bool | None]) -> str:
    holds = one.get("problem") or f"holds {one['holds'] or 'no work'}"
    branch = f", branch {one['branch']}" if one["branch"] else ""
    return f"{one['path']}{branch}: {holds}" + (", removed" if one.get("removed") else "")


def _prune_journals(yes: bool, older_than: float, as_json: bool) -> int:
    try:
        found = kept()
    except FileNotFoundError:
        return 0
    except OSError as problem:
        raise click.ClickException(f"{folder()} cannot be listed: {words_of(problem)}") from None
    status = 0
    for journal in found:
        one = _ended(journal)
        if one is None or time.time() - one["written"] < older_than:
            continue
        if yes and "problem" not in one:
            try:
                remove(journal.path)
                one["removed"] = True
            except NoJournal:
                continue  # somebody has begun to go on with it
            except OSError as problem:
                one["problem"], status = f"it cannot be removed: {words_of(problem)}", 1
        click.echo(json.dumps(one, sort_keys=True) if as_json else harmless(_journal_line(one)))
    return status


def _ended(journal: Kept) -> dict[str, Any] | None:
    """What there is to say of a journal; None: its run goes on."""
    known = {"path": str(journal.path), "bytes": journal.size, "written": journal.written}
    one: dict[str, Any] = {**known, "run_id": journal.path.stem, "removed": False}
    try:
        with Reader(journal.path) as reader:
            if reader.live:
                return None
            run, waits = reader.run(), reader.waits()
    except NoJournal as problem:
        return {**one, "problem": str(problem)}
    one |= {"script": run.script, "status": run.status, "tasks": run.tasks}
    return {**one, "problem": "it waits for answers, and stays"} if waits else one


def _journal_line(one: dict[str, Any]) -> str:
    if "status" in one:
        run = f"run {one['run_id']} of {one['script'] or '(embedded)'}, {one['status']}"
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(one["written"]))
        said = f"{one['path']}: {run}, {when}, {amount(one['bytes'])}B"
    else:
        said = f"{one['path']}: is left as it is"
    problem = f": {one['problem']}" if "problem" in one else ""
    return f"{said}{problem}" + (", removed" if one["removed"] else "")
