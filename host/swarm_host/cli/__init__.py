"""The command line: ``swarm-host [OPTIONS] SCRIPT [ARGS...]``."""

from swarm_host.cli.commands import main

__all__ = ["main"]
