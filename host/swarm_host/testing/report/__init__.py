"""The reports of a run of specs: what reporters are told, and each form in a file of its own."""
