"""Fronts: what shows a run while it goes on, or keeps what it says. All tell of the same run, by
the host's own words: its picture, its counts, its events."""
