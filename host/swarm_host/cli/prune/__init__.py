"""``swarm-host prune``."""

from swarm_host.cli.prune.command import prune

__all__ = ["prune"]
