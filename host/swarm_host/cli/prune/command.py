"""``swarm-host prune``: the worktrees that runs have left, listed or removed."""

from __future__ import annotations

import json
import sys

import anyio
import click

from swarm_host.ports.contract import PortError
from swarm_host.ports.worktrees.git import Repository, Tree
from swarm_host.ports.worktrees.records import forget, left


@click.command()
@click.option("--yes", is_flag=True, help="Remove those that hold no work.")
@click.option("--changed", is_flag=True, help="Remove those too that hold changes or commits.")
@click.option("--json", "as_json", is_flag=True, help="A JSON object for each, on a line.")
def prune(*, yes: bool, changed: bool, as_json: bool) -> None:
    """List the worktrees that ended runs have left, and remove them.

    Those of runs that go on are left alone. A branch that has commits stays.
    """
    sys.exit(anyio.run(_prune, yes, changed, as_json))


async def _prune(yes: bool, changed: bool, as_json: bool) -> int:
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
