"""Ports: what a script reaches outside the VM, one capability a file."""

from swarm_host.ports.contract import Answer, Call, Port, PortError

__all__ = ["Answer", "Call", "Port", "PortError"]
