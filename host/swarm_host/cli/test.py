"""``swarm-host test``."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from swarm_host.cli.words import LUA_PATH, TRUST, Seconds, refuse
from swarm_host.testing.command import SpecWish
from swarm_host.testing.command import test as run_specs
from swarm_host.testing.spec_run import Selection


@click.command()
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
    type=Seconds(),
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
@click.option(
    "--helper",
    default="",
    metavar="MODULE",
    help="A module that is required before each spec file.",
)
@TRUST
@LUA_PATH
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
    helper: str,
    paths: tuple[str, ...],
) -> None:
    """Run the specs of PATHS: *_spec.lua files, folders of them (default: the working directory),
    or FILE:LINE for the `it` or `describe` there.

    Exit status: 0 all passed, 1 there are failures, 2 usage, no specs, or a file that does not
    load, 130 Ctrl-C, 143 SIGTERM.
    """

    if sys.stdout is None:
        refuse("standard output is closed, and the report goes there")
    if tap and as_json:
        refuse("--tap and --json are two forms of the same report; take one")
    if watch and only_list:
        refuse("--watch and --list do not go together")
    if junit == "":
        refuse("--junit names no file")
    if junit is not None and Path(junit).is_dir():
        refuse(f"--junit {junit}: is a directory")
    wish = SpecWish(
        selection=Selection(paths, filters, fail_fast),
        seconds=seconds,
        seed=seed,
        form="tap" if tap else "json" if as_json else "human",
        junit=junit,
        only_list=only_list,
        watch=watch,
        trust=trust,
        lua_path=lua_path,
        helper=helper,
    )
    sys.exit(run_specs(wish))
