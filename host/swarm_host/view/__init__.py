"""What people see: errors, logs and progress as text."""
