"""Capability tokens: what leaves the VM carries one, what comes in is checked against it."""
