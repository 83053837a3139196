"""What is kept of a run on disk: one SQLite file, from which it can be resumed and looked at."""
