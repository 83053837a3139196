"""The commands, and how their words are read."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any, NoReturn

import click

from swarm_host.version import __version__

USAGE, FAILED = 2, 1


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
@click.option("--timeout", type=click.FloatRange(min=0, min_open=True), metavar="S", help="Seconds")
@click.option("--events", type=click.Path(), metavar="FILE", help="Write the run's events there.")
@click.option("--json", "as_json", is_flag=True, help="stdout is main's result alone, as JSON.")
@click.option("--quiet", is_flag=True, help="No progress and no logs below error.")
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
