"""What a journal has, read without changing it: for who looks at runs."""
