"""``swarm-host audit``: whether an audit is what was written."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any, NoReturn

import click

from swarm_host.cli.words import refuse


@click.group(no_args_is_help=False)
def audit() -> None:
    """Look at the audit of runs: what --audit FILE has written."""


@audit.command()
@click.argument("file", type=click.Path())
@click.option(
    "--head",
    metavar="HASH",
    help="The hash that a run has said at its end: that of the last line.",
)
@click.option("--json", "as_json", is_flag=True, help="Say it as JSON.")
def verify(file: str, head: str | None, as_json: bool) -> None:
    """Say whether FILE is what was written: no line changed, removed, inserted or moved.

    Whoever can write FILE can cut lines off its end, or write all that follows a change anew: only
    --head, kept elsewhere, shows that.

    Exit status: 0 it is, 1 it is not, 2 it cannot be read.
    """
    from swarm_host.audit.chain import Broken
    from swarm_host.audit.verify import verify_file
    from swarm_host.errors import words_of

    if head is not None:
        head = head.lower()
        if not re.fullmatch("[0-9a-f]{64}", head):
            refuse(f"--head {head!r} is no hash: it is 64 hexadecimal digits, as a run says them")
    try:
        found = verify_file(Path(file), head)
    except OSError as problem:
        refuse(f"{file}: {words_of(problem)}")
    except Broken as broken:
        _tell_broken(file, broken.line, str(broken), as_json)
    lines, last = found.head
    if as_json:
        _say(ok=True, lines=lines, head=last, runs=found.runs, open=found.open)
        return
    text = "1 line" if lines == 1 else f"{lines} lines"
    runs = "1 run" if found.runs == 1 else f"{found.runs} runs"
    click.echo(f"{file}: {text} of {runs}, each as it was written\nhead {last}")
    if found.open is not None:
        click.echo(
            f"note: run {found.open} has no end in it: it goes on, was killed, or the end of the "
            "file was cut off"
        )


def _tell_broken(file: str, line: int, why: str, as_json: bool) -> NoReturn:
    if as_json:
        _say(ok=False, line=line, why=why)
    else:
        click.echo(f"error: {file}: line {line}: {why}", err=True)
    sys.exit(1)


def _say(**members: Any) -> None:
    click.echo(json.dumps(members))
