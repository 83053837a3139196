"""The commands, and how their words are read."""

from __future__ import annotations

import json
import math
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from swarm_host.version import __version__

if TYPE_CHECKING:
    from swarm_host.cli.repeating import OnChange

USAGE, FAILED = 2, 1

MOST_SECONDS = 1e9
"""The system's calls that wait take no more."""


class _Seconds(click.FloatRange):
    """A number of seconds that can be waited for."""

    name = "seconds"

    def __init__(self, *, or_none_at_all: bool = False) -> None:
        super().__init__(0, MOST_SECONDS, min_open=not or_none_at_all)

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        seconds: float = super().convert(value, param, ctx)
        if math.isnan(seconds):
            self.fail(f"{value} is no number of seconds.", param, ctx)
        return seconds


class _RunByDefault(click.Group):
    """``swarm-host x.lua`` is ``swarm-host run x.lua``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and args[0] not in ("--help", "--version"):
            args = ["run", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_RunByDefault, no_args_is_help=True)
@click.version_option(__version__, prog_name="swarm-host")
def main() -> None:
    """Run swarms written in Lua.

    \b
    swarm-host [OPTIONS] SCRIPT [ARGS...]   run a script (see swarm-host run --help)
    swarm-host check SCRIPT                 load a script and say what it defines
    swarm-host test [PATHS...]              run the specs in *_spec.lua files
    """
    # Until a run keeps the signals, Ctrl-C ends the process without a word of Python's.
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _refuse(message: str) -> NoReturn:
    click.echo(f"error: {message}", err=True)
    sys.exit(USAGE)


def _read_input(text: str | None) -> Any:
    """What ``--input`` names: JSON, ``@FILE`` or ``-``."""
    if text is None:
        return None
    source = "--input"
    try:
        if text == "-":
            source, raw = "--input - (standard input)", sys.stdin.buffer.read()
        elif text.startswith("@"):
            source, raw = f"--input {text}", Path(text[1:]).read_bytes()
        else:
            raw = os.fsencode(text)
    except OSError as problem:
        _refuse(f"{source}: cannot read it: {(problem.strerror or str(problem)).lower()}")
    try:
        decoded = raw.decode()
    except UnicodeDecodeError as problem:
        _refuse(f"{source}: not UTF-8: byte {problem.start + 1} is {raw[problem.start]:#04x}")

    def no_constant(name: str) -> NoReturn:
        raise ValueError(f"{name} is not JSON")

    try:
        return json.loads(decoded, parse_constant=no_constant)
    except json.JSONDecodeError as problem:
        near = decoded[problem.pos : problem.pos + 20]
        shown = f" near {near!r}" if near else " (the text ends there)"
        hint = "" if "\n" in decoded or len(decoded) > 60 else f"; got {decoded!r}"
        where = f"line {problem.lineno}, column {problem.colno}"
        _refuse(f"{source}: not JSON: {problem.msg.lower()} at {where}{shown}{hint}")
    except (ValueError, RecursionError) as problem:
        _refuse(f"{source}: not JSON: {problem}")


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


_LUA_PATH = click.option(
    "--lua-path",
    multiple=True,
    metavar="DIR",
    help="A further folder (or a template with ?) where require looks. May be repeated.",
)
_TRUST = click.option(
    "--trust", is_flag=True, help="Full Lua (io, os, ffi) instead of the guarded environment."
)
_DEBUG = click.option("--debug", is_flag=True, help="Debug logs, and the host's frames in errors.")


@main.command(
    context_settings={"ignore_unknown_options": False, "allow_interspersed_args": False},
    options_metavar="[OPTIONS]",
)
@click.option("--input", "input_text", metavar="JSON|@FILE|-", help="What ctx.input of main is.")
@click.option("--timeout", type=_Seconds(), metavar="S", help="Seconds")
@click.option("--events", type=click.Path(), metavar="FILE", help="Write the run's events there.")
@click.option("--json", "as_json", is_flag=True, help="stdout is main's result alone, as JSON.")
@click.option("--quiet", is_flag=True, help="No progress and no logs below error.")
@click.option(
    "--reload/--no-reload",
    default=None,
    help="Take over definitions when files change. Default: at a terminal, without CI set.",
)
@click.option("--watch", is_flag=True, help="Stay after main, and run it again on each change.")
@click.option(
    "--on-change",
    type=click.Choice(["restart", "finish", "keep"]),
    help="With --watch: cancel main and run it again (default), let it end first, or leave it.",
)
@click.option(
    "--drain",
    type=_Seconds(or_none_at_all=True),
    metavar="S",
    help="Seconds that workers of replaced definitions have. Default: as long as they need.",
)
@click.option("--dry-run", is_flag=True, help="On a change only say what a reload would change.")
@_DEBUG
@_TRUST
@_LUA_PATH
@click.argument("script")
@click.argument("args", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def run(
    ctx: click.Context,
    input_text: str | None,
    timeout: float | None,
    events: str | None,
    as_json: bool,
    quiet: bool,
    reload: bool | None,
    watch: bool,
    on_change: OnChange | None,
    drain: float | None,
    dry_run: bool,
    debug: bool,
    trust: bool,
    lua_path: tuple[str, ...],
    script: str,
    args: tuple[str, ...],
) -> None:
    """Run SCRIPT: its swarm.main gets ARGS.

    Exit status: 0 pass, 1 failed, 2 usage or load error, 3 blocked, 124 timeout, 130 Ctrl-C,
    143 SIGTERM.
    """
    from swarm_host.cli.running import Running

    if not script:
        _refuse("SCRIPT is an empty word; name a script")
    if on_change and not watch:
        _refuse(f"--on-change={on_change} goes with --watch")
    for name, given in (("--watch", watch), ("--dry-run", dry_run), ("--drain", drain is not None)):
        if reload is False and given:
            _refuse(f"{name} does not go with --no-reload")
    if reload is None:
        at_terminal = sys.stderr.isatty() and not os.environ.get("CI")
        reload = watch or dry_run or drain is not None or at_terminal
    reloads = None
    if reload:
        from swarm_host.cli.reloading import Reloads
        from swarm_host.reload import Choices

        reloads = Reloads(Choices(dry_run, drain), watch, on_change or "restart")
    _hint_at_misplaced(args, ctx.command, quiet)
    value = _read_input(input_text)
    running = Running(
        script,
        args=args,
        value=value,
        timeout=timeout,
        as_json=as_json,
        quiet=quiet,
        debug=debug,
        trust=trust,
        lua_path=lua_path,
        reloads=reloads,
    )
    if events is None:
        sys.exit(running.run())
    try:
        file = open(events, "wb")  # noqa: SIM115, PTH123 - closed below, and refused by name here
    except OSError as problem:
        _refuse(f"--events {events}: {(problem.strerror or str(problem)).lower()}")
    with file:
        sys.exit(running.run(file))


@main.command()
@click.option("--json", "as_json", is_flag=True, help="Print the definitions as JSON.")
@_DEBUG
@_TRUST
@_LUA_PATH
@click.argument("script")
def check(as_json: bool, debug: bool, trust: bool, lua_path: tuple[str, ...], script: str) -> None:
    """Load SCRIPT without running it, and say what it defines."""
    from swarm_host.cli.running import Running

    running = Running(
        script, as_json=as_json, debug=debug, trust=trust, lua_path=lua_path, check_only=True
    )
    sys.exit(running.run())


@main.command()
@click.option(
    "--filter",
    "filters",
    multiple=True,
    metavar="TEXT",
    help="Only specs whose name contains TEXT, whatever the case. May be repeated: any of them.",
)
@click.option("--fail-fast", is_flag=True, help="Run nothing after the first failure.")
@click.option("--list", "only_list", is_flag=True, help="List the specs and run none.")
@click.option("--watch", is_flag=True, help="Run again when a spec, script or module changes.")
@click.option(
    "--timeout",
    "seconds",
    type=_Seconds(),
    default=30.0,
    show_default=True,
    metavar="S",
    help="Real seconds for each spec.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**53),
    metavar="N",
    help="What random numbers come from; each report says which it was.",
)
@click.option("--junit", metavar="FILE", help="Write JUnit XML there as well.")
@click.option("--tap", is_flag=True, help="Report as TAP 14 on stdout.")
@click.option("--json", "as_json", is_flag=True, help="Report as JSON lines on stdout.")
@_TRUST
@_LUA_PATH
@click.argument("paths", nargs=-1)
def test(
    filters: tuple[str, ...],
    fail_fast: bool,
    only_list: bool,
    watch: bool,
    seconds: float,
    seed: int | None,
    junit: str | None,
    tap: bool,
    as_json: bool,
    trust: bool,
    lua_path: tuple[str, ...],
    paths: tuple[str, ...],
) -> None:
    """Run the specs of PATHS: *_spec.lua files, folders of them (default: the working directory),
    or FILE:LINE for the `it` or `describe` there.

    Exit status: 0 all passed, 1 there are failures, 2 usage, no specs, or a file that does not
    load, 130 Ctrl-C, 143 SIGTERM.
    """
    from swarm_host.testing.command import Wish
    from swarm_host.testing.command import test as run_specs
    from swarm_host.testing.session import Selection

    if tap and as_json:
        _refuse("--tap and --json are two forms of the same report; take one")
    if watch and only_list:
        _refuse("--watch and --list do not go together")
    if junit == "":
        _refuse("--junit names no file")
    if junit is not None and Path(junit).is_dir():
        _refuse(f"--junit {junit}: is a directory")
    wish = Wish(
        selection=Selection(paths, filters, fail_fast),
        seconds=seconds,
        seed=seed,
        form="tap" if tap else "json" if as_json else "human",
        junit=junit,
        only_list=only_list,
        watch=watch,
        trust=trust,
        lua_path=lua_path,
    )
    sys.exit(run_specs(wish))
