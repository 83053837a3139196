"""``swarm-host test``: finds specs, runs each in a host of its own, says how it went."""
