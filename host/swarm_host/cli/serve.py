"""``swarm-host serve``: keeps what a script defines up, and takes work from outside."""

from __future__ import annotations

import click

from swarm_host.cli.run import run_wish
from swarm_host.cli.wish import RunWish, words_of_a_run


@click.command(context_settings={"allow_interspersed_args": False}, options_metavar="[OPTIONS]")
@words_of_a_run
def serve(wish: RunWish) -> None:
    """Keep the workers of SCRIPT up, run its swarm.main once if it has one, and take work until
    Ctrl-C.

    Work comes by swarm-host spawn RUN NAME, and by sessions and tokens. Definitions are taken over
    as files change; --watch and --on-change are of swarm-host run.
    """
    from swarm_host.cli.running.reload_wish import ReloadWish

    reload = wish.reload or ReloadWish()
    reload = ReloadWish(reload.dry_run, reload.drain, watch=True, on_change="keep", serves=True)
    run_wish(wish._replace(reload=reload))
