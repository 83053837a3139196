"""Port ``process``: child processes, started and ended to the last of them."""
