"""The commands: each in a file of its own, which is imported when the command is asked for."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import click

from swarm_host.cli.words import refuse
from swarm_host.version import __version__

COMMANDS = (
    {name: name for name in ("audit", "check", "prune", "resume", "run", "serve", "test")}
    | {"rerun": "resume"}
    | {name: f"calls.{name}" for name in ("answer", "ps", "tail")}
    | dict.fromkeys(("cancel", "join", "spawn"), "calls.tasks")
    | {name: f"looking.{name}" for name in ("export", "runs", "show")}
)
"""Each command, and the module beside this one that has it as a function of its name."""


class _Commands(click.Group):
    """``swarm-host x.lua`` is ``swarm-host run x.lua``."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        command: click.Command = getattr(import_module(f"swarm_host.cli.{COMMANDS[name]}"), name)
        return command

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and args[0] not in COMMANDS and args[0] not in ("--help", "--version"):
            _refuse_a_misspelt(args[0])
            args = ["run", *args]
        return super().parse_args(ctx, args)


def _refuse_a_misspelt(word: str) -> None:
    """No script of that name is there, and nearly a command: it is meant."""
    if not word.isalpha() or Path(word).exists():
        return
    from difflib import get_close_matches

    for command in get_close_matches(word, COMMANDS, 1):
        refuse(f"there is no script {word}, and no such command; did you mean {command}?")


@click.group(cls=_Commands, no_args_is_help=True)
@click.version_option(__version__, prog_name="swarm-host")
def main() -> None:
    """Run swarms written in Lua.

    \b
    swarm-host [OPTIONS] SCRIPT [ARGS...]   run a script (see swarm-host run --help)
    swarm-host resume RUN                   go on with a run that was broken off
    swarm-host rerun RUN --from TASK        run a part of it again
    swarm-host runs                         list the runs that there were, and those that go on
    swarm-host show RUN [TASK]              what became of the tasks of a run, or of one
    swarm-host export RUN                   all that is known of a run, for other programs
    swarm-host audit verify FILE            whether an audit is what was written
    swarm-host check SCRIPT                 load a script and say what it defines
    swarm-host test [PATHS...]              run the specs in *_spec.lua files
    swarm-host prune                        list what runs have left: worktrees, journals
    swarm-host worker --help                what the program of a worker says to its run
    swarm-host serve SCRIPT                 keep its workers up, and take work from outside
    swarm-host ps [RUN]                     list runs, or who is at work in one
    swarm-host answer RUN [KEY [VALUE]]     what a run asks, and an answer to it
    swarm-host spawn|join|tail|cancel RUN   start a task in a run; wait for one, read, end it
    """


def do(**settings: Any) -> int:
    """Does what the command line says, and returns the exit status."""
    try:
        return main(standalone_mode=False, **settings) or 0
    except click.ClickException as problem:
        _tell(problem)
        return problem.exit_code


def _tell(problem: click.ClickException) -> None:
    """Tells an error of click's as all others are told, by ``error:``."""
    if isinstance(problem, click.exceptions.NoArgsIsHelpError):
        problem.show()
        return
    if isinstance(problem, click.UsageError) and problem.ctx is not None:
        ctx = problem.ctx
        help_ = f"Try '{ctx.command_path} --help' for help."
        click.echo(f"{ctx.get_usage()}\n{help_}\n", err=True)
    click.echo(f"error: {problem.format_message()}", err=True)
