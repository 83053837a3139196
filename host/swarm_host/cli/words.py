"""Words that several commands share."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import click

USAGE = 2
"""The exit status of a usage error."""

TIMED_OUT = 124
"""The exit status where the time is up."""

AMOUNTS = ("cost", "seconds", "tokens")
"""What a budget may bound."""

MOST_SECONDS = 1e9
"""The system's calls that wait take no more."""


class Seconds(click.FloatRange):
    """A number of seconds that can be waited for."""

    name = "number of seconds"

    def __init__(self, *, or_none_at_all: bool = False) -> None:
        super().__init__(0, MOST_SECONDS, min_open=not or_none_at_all)

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """The number, which must be one."""
        seconds: float = super().convert(value, param, ctx)
        if math.isnan(seconds):
            self.fail(f"{value} is no number of seconds.", param, ctx)
        return seconds


class Amount(click.ParamType):  # type: ignore[type-arg]
    """An amount of a budget, such as ``cost=20``."""

    name = "amount"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, float]:
        """Its name, and a number above zero."""
        name, _, text = str(value).partition("=")
        if name not in AMOUNTS:
            self.fail(f"{name} is none of {', '.join(AMOUNTS)}: write cost=20.", param, ctx)
        try:
            amount = float(text)
        except ValueError:
            amount = math.nan
        if not 0 < amount < math.inf:
            self.fail(f"{name}={text} is no number above zero.", param, ctx)
        return name, amount


LUA_PATH = click.option(
    "--lua-path",
    multiple=True,
    metavar="DIR",
    help="A further folder (or a template with ?) where require looks. May be repeated.",
)
TRUST = click.option(
    "--trust", is_flag=True, help="Full Lua (io, os, ffi) instead of the guarded environment."
)
SYNC = click.option(
    "--sync",
    type=click.Choice(["full", "normal"]),
    default="normal",
    help="full: what the journal has is on the disk before anything follows from it; normal"
    " (default): after a power cut its last moments may be missing. A kill loses nothing.",
)
EVENTS = click.option(
    "--events", type=click.Path(), metavar="FILE", help="Write the run's events there."
)
AUDIT = click.option(
    "--audit",
    type=click.Path(),
    metavar="FILE",
    help="Write there who did what, in a chain of hashes. A run that cannot write it ends.",
)
ON_ASK = click.option(
    "--on-ask",
    type=click.Choice(["exit", "wait"]),
    help="What a run does that only answers to questions can move: end with status 75, to be "
    "resumed, or wait. Default: at a terminal ask there and wait, elsewhere exit.",
)
AS_JSON = click.option(
    "--json", "as_json", is_flag=True, help="stdout is main's result alone, as JSON."
)
VIEW = click.option(
    "--view",
    type=click.Choice(["tree", "lines", "plain", "off"]),
    help="What shows the run while it goes on. Default: tree at a terminal, else plain.",
)
LOG_DIR = click.option(
    "--log-dir",
    type=click.Path(),
    metavar="DIR",
    help="Write there what each attempt says: NAME-TASK.ATTEMPT.log.",
)
QUIET = click.option("--quiet", is_flag=True, help="No progress and no logs below error.")
DEBUG = click.option("--debug", is_flag=True, help="Debug logs, and the host's frames in errors.")


def with_words(
    words: Sequence[Callable[..., Any]], command: Callable[..., None]
) -> Callable[..., None]:
    """A function with options and arguments, in the order in which help lists them."""
    for word in reversed(words):
        command = word(command)
    return command


def first_fault(problem: UnicodeDecodeError) -> str:
    """Where bytes are not UTF-8."""
    return f"byte {problem.start + 1} is {problem.object[problem.start]:#04x}"


def refuse(message: str, status: int = USAGE) -> NoReturn:
    """Ends the process: what was asked for cannot be meant."""
    click.echo(f"error: {message}", err=True)
    sys.exit(status)
