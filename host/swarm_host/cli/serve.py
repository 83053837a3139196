"""``swarm-host serve``: keeps what a script defines up, and takes work from outside."""

from __future__ import annotations

import click

from swarm_host.cli.run import run_wish
from swarm_host.cli.wish import RunWish, words_of_a_run


@click.command(context_settings={"allow_interspersed_args": False}, options_metavar="[OPTIONS]")
@words_of_a_run(serves=True)
def serve(wish: RunWish) -> None:
    """Keep the workers of SCRIPT up.

    It runs swarm.main once, if there is one, and takes work until Ctrl-C: by swarm-host spawn RUN
    NAME, and by sessions and tokens. Definitions are taken over as files change, unless with
    --no-reload.

    Exit status: 2 usage or load error, 1 where nobody could speak to it, 130 Ctrl-C, 143 SIGTERM.
    """
    run_wish(wish)
