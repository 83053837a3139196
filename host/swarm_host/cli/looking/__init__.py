"""The commands that look at what runs have left: a file for each."""
