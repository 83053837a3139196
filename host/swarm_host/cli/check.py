"""``swarm-host check``."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from swarm_host.checking.report.forms import FORMS
from swarm_host.cli.wish import RunWish
from swarm_host.cli.words import DEBUG, LUA_PATH, TRUST, USAGE
from swarm_host.testing.discovery import ENDING

if TYPE_CHECKING:
    from swarm_host.host import Host


@click.command()
@click.option(
    "--format",
    "form",
    type=click.Choice(list(FORMS)),
    default="text",
    help="How findings are told.  [default: text]",
)
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@click.option("--strict", is_flag=True, help="Warnings count as errors do: exit status 1.")
@DEBUG
@TRUST
@LUA_PATH
@click.argument("script")
def check(
    form: str,
    as_json: bool,
    strict: bool,
    debug: bool,
    trust: bool,
    lua_path: tuple[str, ...],
    script: str,
) -> None:
    """Load SCRIPT without running it, read it and its modules, and say what is wrong.

    Where nothing is, say what it defines. The exit status is 0 where there are no errors, 1 where
    there are, 2 where SCRIPT cannot be read.
    """
    from swarm_host.cli.given import check_script

    check_script(script)
    form = "json" if as_json else form
    wish = RunWish(
        script,
        as_json=form != "text",
        debug=debug,
        trust=trust,
        lua_path=lua_path,
        spec=script.endswith(ENDING),
    )
    sys.exit(_Check(wish, form, strict).run())


class _Check:
    def __init__(self, wish: RunWish, form: str, strict: bool) -> None:
        self._wish = wish
        self._form = form
        self._strict = strict
        self._host_told: tuple[dict[str, Any] | None, dict[str, Any], dict[str, Any] | None] | None
        self._host_told = None

    def run(self) -> int:
        """Loads, reads, tells; returns the exit status."""
        from swarm_host.cli.running.running import Running

        status = Running(self._wish, on_loaded=self._take).run()
        if self._host_told is None:
            return status
        from swarm_host.checking import tree
        from swarm_host.checking.loaded import Loaded
        from swarm_host.checking.reading import check as findings_of

        definitions, checked, error = self._host_told
        script = self._wish.script
        if error is not None and not _is_readable(script):
            from swarm_host.view.errors import render

            click.echo(f"error: {render(error)}", err=True)
            return USAGE
        loaded = Loaded(definitions, checked, error, is_spec=self._wish.spec)
        if not tree.is_there():
            click.echo(
                "note: the script was loaded only: pip install 'swarm-host[check]' has it read too",
                err=True,
            )
        reads = tree.is_there() and Path(script).is_file()
        found = findings_of(script, self._wish.lua_path, loaded, reads=reads)
        text = FORMS[self._form](script, found, definitions)
        if text:
            sys.stdout.buffer.write(text.encode(errors="surrogateescape") + b"\n")
        counts = [one for one in found if self._strict or one.severity == "error"]
        return 1 if counts else 0

    def _take(self, host: Host, error: dict[str, Any] | None) -> int:
        """The script was loaded, or could not be."""
        definitions = host.describe() if error is None else None
        self._host_told = (definitions, host.checked(), error)
        return 0


def _is_readable(script: str) -> bool:
    path = Path(script)
    return path.exists() and not path.is_dir() and os.access(script, os.R_OK)
