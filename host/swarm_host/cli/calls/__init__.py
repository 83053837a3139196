"""The commands that speak to a run."""
