"""What runs a script: from what was asked for to the exit status, in a thread of its own."""
