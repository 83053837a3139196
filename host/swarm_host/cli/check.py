"""``swarm-host check``."""

from __future__ import annotations

import sys

import click

from swarm_host.cli.wish import RunWish
from swarm_host.cli.words import DEBUG, LUA_PATH, TRUST


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the definitions as JSON.")
@DEBUG
@TRUST
@LUA_PATH
@click.argument("script")
def check(as_json: bool, debug: bool, trust: bool, lua_path: tuple[str, ...], script: str) -> None:
    """Load SCRIPT without running it, and say what it defines."""
    from swarm_host.cli.given import check_script
    from swarm_host.cli.running.running import Running

    check_script(script)
    wish = RunWish(script, as_json=as_json, debug=debug, trust=trust, lua_path=lua_path)
    sys.exit(Running(wish, check_only=True).run())
