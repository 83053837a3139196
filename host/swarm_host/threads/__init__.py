"""Signals and event loops: the main thread listens, and Lua has a thread of its own."""
