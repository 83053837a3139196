"""``swarm-host resume`` and ``rerun``: a run goes on, and what it had done is not done again."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from swarm_host.cli.words import (
    AS_JSON,
    AUDIT,
    DEBUG,
    EVENTS,
    LOG_DIR,
    ON_ASK,
    QUIET,
    SYNC,
    VIEW,
    Amount,
    Seconds,
    refuse,
    with_words,
)
from swarm_host.entries import harmless

if TYPE_CHECKING:
    from swarm_host.cli.wish import RunWish
    from swarm_host.journal.resumed import Decision, Resumed

_WORDS = (
    click.argument("run"),
    click.option(
        "--with",
        "script",
        type=click.Path(),
        metavar="SCRIPT",
        help="Go on with this script, as it is now. Default: as it was recorded.",
    ),
    click.option("--explain", is_flag=True, help="Say of each task why it runs again, or not."),
    QUIET,
    AS_JSON,
    DEBUG,
    click.option(
        "--budget",
        type=Amount(),
        multiple=True,
        metavar="K=V",
        help="What the run may use, with all that it has used already. Default: as it was said.",
    ),
    ON_ASK,
    click.option("--timeout", type=Seconds(), metavar="S", help="Seconds from now on."),
    VIEW,
    EVENTS,
    AUDIT,
    LOG_DIR,
    SYNC,
)


def _words(function: Callable[..., None]) -> Callable[..., None]:
    return with_words(_WORDS, function)


@click.command()
@_words
@click.option("--again", is_flag=True, help="Run what was in flight, whatever its on_resume says.")
def resume(*, again: bool, **words: Any) -> None:
    """Go on with a run: its script runs again from the start, and a task that had passed ends at
    once as it has ended before.

    RUN is its id, a unique prefix, last, or the path of its journal.
    """
    _go_on(again=again, drop="", **words)


@click.command()
@_words
@click.option(
    "--from",
    "drop",
    required=True,
    metavar="TASK",
    help="The task (T-7) that runs again, with what is below it and what began after it had ended.",
)
def rerun(*, drop: str, **words: Any) -> None:
    """Run a part of a run again: a task, what is below it, and what was spawned after it had ended.

    RUN is its id, a unique prefix, last, or the path of its journal.
    """
    _go_on(again=True, drop=drop, **words)


def _go_on(
    *,
    run: str,
    script: str | None,
    explain: bool,
    again: bool,
    drop: str,
    sync: Any,
    **words: Any,
) -> None:
    from swarm_host.cli.run import run_wish
    from swarm_host.cli.running.journal_wish import JournalWish
    from swarm_host.cli.wish import RunWish
    from swarm_host.journal.places import Lock, NoJournal, find
    from swarm_host.journal.resumed import Resumed

    try:
        path = find(run).absolute()
        lock = Lock(path)
        resumed = Resumed(path, _explain if explain else None, drop=drop, again=again)
    except NoJournal as problem:
        refuse(str(problem))
    if "wish" not in resumed.meta:
        refuse(f"the run of {path} was not started by the command line, and is not resumed by it")
    try:
        recorded = _recorded(resumed.meta["wish"], RunWish._fields)
        if script is not None:
            resumed.takes(sources=False)
            if not Path(script).exists():
                refuse(f"--with {script}: there is no such script")
            recorded["script"] = str(Path(script).absolute())
        _go_where(resumed.meta["cwd"])
        _tell_differences(resumed, recorded["script"])
        journal = JournalWish(path, sync, resumed.run_id, resumed, lock)
        if words["audit"] is not None:
            words["audit"] = str(Path(words["audit"]).absolute())
        recorded |= {name: given for name, given in words.items() if given or name not in recorded}
        wish: RunWish = RunWish(**recorded, journal=journal)
    except (KeyError, TypeError, ValueError, AttributeError) as problem:
        refuse(f"{path} is damaged: {problem!r}. It was left as it is")
    run_wish(wish)


def _recorded(known: dict[str, Any], fields: tuple[str, ...]) -> dict[str, Any]:
    """What was asked for as the run began; what this version has no word for is left out."""
    recorded = {name: value for name, value in known.items() if name in fields}
    for name in ("args", "lua_path", "token_keys"):
        recorded[name] = tuple(str(one) for one in recorded.get(name, ()))
    recorded["budget"] = tuple((name, float(amount)) for name, amount in recorded["budget"])
    recorded["script"] = str(recorded["script"])
    return recorded


def _go_where(folder: str) -> None:
    """Paths of the run are as it began."""
    try:
        os.chdir(folder)
    except OSError:
        refuse(f"the run was started in {folder}, which is not there any more")


def _tell_differences(resumed: Resumed, script: str) -> None:
    """Says which of the recorded sources differ from what is there now."""
    changed = []
    for path, content in sorted(resumed.sources.items()):
        try:
            if Path(path).read_bytes() != content:
                changed.append(f"{path} has changed")
        except OSError:
            changed.append(f"{path} is not there any more")
    if changed:
        click.echo(
            f"note: {', '.join(changed)} since the run began; it goes on as it was recorded "
            f"(--with {script} takes what is there now)",
            err=True,
        )


def _explain(decision: Decision) -> None:
    label = f" [{decision.label}]" if decision.label else ""
    why = "not run again: it had passed" if decision.why is None else f"run again: {decision.why}"
    click.echo(harmless(f"T-{decision.task} {decision.name}{label}: {why}"), err=True)
