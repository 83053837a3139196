"""``swarm-host run``, which is also what ``swarm-host SCRIPT`` means."""

from __future__ import annotations

import errno
import os
import sys
from typing import TYPE_CHECKING, NoReturn

import click

from swarm_host.cli.wish import RunWish, words_of_a_run
from swarm_host.cli.words import refuse
from swarm_host.errors import words_of
from swarm_host.tokens.keys import VARIABLE, BadKeys, find_keys

if TYPE_CHECKING:
    from swarm_host.view.fronts.log_dir import LogDir


@click.command(
    context_settings={"ignore_unknown_options": False, "allow_interspersed_args": False},
    options_metavar="[OPTIONS]",
)
@words_of_a_run()
def run(wish: RunWish) -> None:
    """Run SCRIPT: its swarm.main gets ARGS.

    Exit status: 0 pass, 1 failed, 2 usage or load error, 3 blocked, 75 waits for an answer,
    124 timeout, 130 Ctrl-C, 143 SIGTERM.
    """
    run_wish(wish)


def run_wish(wish: RunWish) -> NoReturn:
    """Does what is wished, and ends the process with its status."""
    from swarm_host.cli.running.running import Running

    keys = _token_keys(wish.token_keys)
    log_dir = None if wish.log_dir is None else _log_dir(wish.log_dir)
    if wish.events is None:
        sys.exit(Running(wish, None, log_dir, token_keys=keys).run())
    try:
        file = open(wish.events, "wb", buffering=0, opener=_opened)  # noqa: SIM115
    except OSError as problem:
        if problem.errno == errno.ENXIO:
            refuse(f"--events {wish.events}: nobody reads it; begin to read it first")
        refuse(f"--events {wish.events}: {words_of(problem)}")
    with file:
        sys.exit(Running(wish, file, log_dir, token_keys=keys).run())


def _token_keys(files: tuple[str, ...]) -> list[bytes]:
    """The keys that are named; none: the run makes its own."""
    if not files and not os.environ.get(VARIABLE):
        return []
    try:
        return find_keys(files)
    except BadKeys as problem:
        refuse(f"{'--token-key' if files else VARIABLE}: {problem}")


def _log_dir(path: str) -> LogDir:
    from swarm_host.view.fronts.log_dir import LogDir

    try:
        return LogDir(path)
    except FileExistsError:
        refuse(f"--log-dir {path}: it is a file, not a folder")
    except OSError as problem:
        refuse(f"--log-dir {path}: {words_of(problem)}")


def _opened(path: str, flags: int) -> int:
    """Opens a file, and does not wait for who would read a pipe."""
    file = os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY, 0o666)
    os.set_blocking(file, True)
    return file
