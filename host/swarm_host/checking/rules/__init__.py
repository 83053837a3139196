"""What is looked for: a file for each rule, which says what it finds and what it leaves alone."""
