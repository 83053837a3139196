"""The Agent Client Protocol, between a worker and its agent's program.

The models of messages are those of the package ``agent-client-protocol``, which is dear to import:
this folder is imported when the first agent starts that speaks it.
"""
