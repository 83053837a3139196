"""The words of a run: each option is declared here and nowhere else, and what they ask for is
carried on as one value. A command that runs a script is a function that takes a :class:`RunWish`,
under :func:`words_of_a_run`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import click

from swarm_host.cli.words import (
    AS_JSON,
    AUDIT,
    DEBUG,
    EVENTS,
    LOG_DIR,
    LUA_PATH,
    ON_ASK,
    QUIET,
    SYNC,
    TRUST,
    VIEW,
    Amount,
    Seconds,
    refuse,
    with_words,
)

if TYPE_CHECKING:
    from swarm_host.cli.running.journal_wish import JournalWish
    from swarm_host.cli.running.reload_wish import OnChange, ReloadWish
    from swarm_host.journal.writer import Sync
    from swarm_host.view.fronts.shown import View


class RunWish(NamedTuple):
    """What a run is asked for.

    :ivar script: the script's path.
    :ivar args: the strings after it.
    :ivar input: what ``ctx.input`` of main is.
    :ivar timeout: seconds for everything, or None.
    :ivar cancel_grace: seconds that a worker may go on after its cancel.
    :ivar blocked: what tasks that ended blocked make of the run.
    :ivar on_ask: what becomes of the run where only answers to questions can move it; None: at a
        terminal the person there is asked, elsewhere it ends.
    :ivar operator_kind: the kind of operator over its workers; None: as the script says.
    :ivar budget: how much the run may use: names and amounts.
    :ivar events: the file for events of the run, or None.
    :ivar audit: the file of its audit, or None.
    :ivar as_json: stdout is the result alone.
    :ivar quiet: no progress, no logs below error.
    :ivar log_dir: the folder for what each attempt says, or None.
    :ivar view: what shows the run while it goes on; None: what fits the terminal.
    :ivar debug: debug logs, and the host's frames in errors.
    :ivar trust: full Lua.
    :ivar lua_path: further places for ``require``.
    :ivar spec: it is a spec file, which is loaded and not run.
    :ivar token_keys: the files of the keys of tokens, the newest first; none: those of the
        environment, else a random key.
    :ivar reload: what happens when files change; None: nothing.
    :ivar reuse: results of workers that ran Lua alone are used again.
    :ivar journal: where what becomes of its tasks is kept; None: nowhere.
    """

    script: str
    args: tuple[str, ...] = ()
    input: Any = None
    timeout: float | None = None
    cancel_grace: float = 10
    blocked: Literal["warn", "fail"] = "warn"
    on_ask: Literal["exit", "wait"] | None = None
    operator_kind: Literal["main_ai", "automate", "composite"] | None = None
    budget: tuple[tuple[str, float], ...] = ()
    events: str | None = None
    audit: str | None = None
    as_json: bool = False
    quiet: bool = False
    view: View | None = None
    log_dir: str | None = None
    debug: bool = False
    trust: bool = False
    lua_path: tuple[str, ...] = ()
    spec: bool = False
    token_keys: tuple[str, ...] = ()
    reload: ReloadWish | None = None
    reuse: bool = False
    journal: JournalWish | None = None

    def recorded(self) -> dict[str, Any]:
        """What of it holds where the run is resumed."""
        return {name: getattr(self, name) for name in _RECORDED}


_RECORDED = (
    *("script", "args", "input", "timeout", "cancel_grace", "blocked", "on_ask"),
    *("operator_kind", "budget"),
    *("trust", "lua_path", "reuse", "token_keys", "audit"),
)


_WORDS = (
    click.option("--input", metavar="JSON|@FILE|-", help="What ctx.input of main is."),
    click.option(
        "--timeout",
        type=Seconds(),
        metavar="S",
        help="Seconds for loading and main, each with all it waits for.",
    ),
    click.option(
        "--cancel-grace",
        type=Seconds(),
        metavar="S",
        default=10,
        help="Seconds that a worker may go on after its cancel until it is abandoned. Default: 10.",
    ),
    click.option(
        "--blocked",
        type=click.Choice(["warn", "fail"]),
        default="warn",
        help="Whether tasks that ended blocked are told of (default), or have the run fail too.",
    ),
    ON_ASK,
    click.option(
        "--operator-kind",
        type=click.Choice(["main_ai", "automate", "composite"]),
        help="The kind of operator over workers, before what the script says of it.",
    ),
    click.option(
        "--budget",
        type=Amount(),
        multiple=True,
        metavar="K=V",
        help="What the run may use: cost=20 (USD), tokens=1000000, seconds=3600. May be repeated.",
    ),
    EVENTS,
    AUDIT,
    AS_JSON,
    VIEW,
    LOG_DIR,
    click.option(
        "--token-key",
        "token_keys",
        type=click.Path(),
        multiple=True,
        metavar="FILE",
        help="The key of tokens, in a file of mode 600. Twice: the new one, which makes tokens, "
        "and the old one, which still verifies. Default: what SWARM_TOKEN_KEYS names, else random.",
    ),
    QUIET,
)

_RUNNING = (
    click.option(
        "--reload/--no-reload",
        default=None,
        help="Take over definitions when files change. Default: at a terminal, without CI set.",
    ),
    click.option("--watch", is_flag=True, help="Stay after main, and run it again on each change."),
    click.option(
        "--on-change",
        type=click.Choice(["restart", "finish", "keep"]),
        help="With --watch: cancel main and run it again (default), let it end first, or leave it.",
    ),
)

_SERVING = (
    click.option(
        "--reload/--no-reload",
        default=True,
        help="Take over definitions when files change (default), or not.",
    ),
)

_LAST = (
    click.option(
        "--drain",
        type=Seconds(or_none_at_all=True),
        metavar="S",
        help="Seconds that workers of replaced definitions have. Default: as long as they need.",
    ),
    click.option(
        "--dry-run", is_flag=True, help="On a change only say what a reload would change."
    ),
    click.option(
        "--journal",
        type=click.Path(),
        metavar="FILE",
        help="Keep there what the run has done, to resume it. Default: where swarm-host runs has"
        " it.",
    ),
    click.option("--no-journal", is_flag=True, help="Keep nothing: the run cannot be resumed."),
    SYNC,
    click.option(
        "--reuse",
        is_flag=True,
        help="Take results of before, of workers that ran Lua alone, where nothing has changed.",
    ),
    DEBUG,
    TRUST,
    LUA_PATH,
    click.argument("script"),
    click.argument("args", nargs=-1, type=click.UNPROCESSED),
    click.pass_context,
)


def words_of_a_run(
    *, serves: bool = False
) -> Callable[[Callable[[RunWish], None]], Callable[..., None]]:
    """Gives a command the words of a run; it is called with what they ask for.

    :param serves: the run takes work from outside, until it is ended.
    """

    def decorate(function: Callable[[RunWish], None]) -> Callable[..., None]:
        @wraps(function)
        def command(ctx: click.Context, /, **words: Any) -> None:
            function(_wish(ctx, words, serves))

        return with_words([*_WORDS, *(_SERVING if serves else _RUNNING), *_LAST], command)

    return decorate


def _wish(ctx: click.Context, words: dict[str, Any], serves: bool) -> RunWish:
    if not words["script"]:
        refuse("SCRIPT is an empty word; name a script")
    from swarm_host.cli.given import check_script, read_input

    check_script(words["script"])
    names = ("watch", "on_change", "drain", "dry_run")
    reloads = {name: words.pop(name) for name in names if name in words}
    reload = _reload_wish(words.pop("reload"), **reloads, serves=serves)
    _hint_at_misplaced(words["args"], ctx.command, words["quiet"])
    given = words.pop("input")
    if given is not None:
        given = read_input(given, words["timeout"])
    journal = _journal_wish(words.pop("journal"), words.pop("no_journal"), words.pop("sync"))
    if words["audit"] is not None:
        words["audit"] = str(Path(words["audit"]).absolute())
    return RunWish(input=given, reload=reload, journal=journal, **words)


def _journal_wish(path: str | None, nowhere: bool, sync: Sync) -> JournalWish | None:
    if nowhere:
        if path is not None:
            refuse("--journal does not go with --no-journal")
        return None
    from swarm_host.cli.running.journal_wish import JournalWish

    return JournalWish(None if path is None else Path(path).resolve(), sync)


def _reload_wish(
    reload: bool | None,
    *,
    watch: bool = False,
    on_change: OnChange | None = None,
    drain: float | None,
    dry_run: bool,
    serves: bool,
) -> ReloadWish | None:
    if on_change and not watch:
        refuse(f"--on-change={on_change} goes with --watch")
    for name, given in (("--watch", watch), ("--dry-run", dry_run), ("--drain", drain is not None)):
        if reload is False and given:
            refuse(f"{name} does not go with --no-reload")
    if serves:
        from swarm_host.cli.running.reload_wish import ReloadWish

        return ReloadWish(dry_run, drain, True, "keep", serves=True, takes_over=bool(reload))
    if reload is None:
        at_terminal = sys.stderr.isatty() and not os.environ.get("CI")
        reload = watch or dry_run or drain is not None or at_terminal
    if not reload:
        return None
    from swarm_host.cli.running.reload_wish import ReloadWish

    return ReloadWish(dry_run, drain, watch, on_change or "restart")


def _hint_at_misplaced(args: tuple[str, ...], command: click.Command, quiet: bool) -> None:
    ours = {name for option in command.params for name in option.opts if name.startswith("--")}
    for arg in args:
        if arg == "--":
            return
        name = arg.split("=", 1)[0]
        if name in ours and not quiet:
            click.echo(
                f"note: {name} comes after SCRIPT, so it is the script's; "
                f"for swarm-host write it before SCRIPT",
                err=True,
            )
