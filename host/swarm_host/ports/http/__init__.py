"""Port ``http``: requests over the network, to the hosts that a role admits."""
