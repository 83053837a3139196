"""Reloading: which files have changed, when to load anew, and what is told of it."""
