"""The audit of a run: one file of JSON lines, each with the hash of the line before it."""
