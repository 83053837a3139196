"""``python -m swarm_host``: the command line."""

from swarm_host.cli import main

main(prog_name="swarm-host")
