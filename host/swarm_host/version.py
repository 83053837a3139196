"""The version of swarm-host."""

__version__ = "0.1.0"
