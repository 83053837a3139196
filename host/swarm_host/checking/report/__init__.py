"""How findings are told: a file for each form."""
