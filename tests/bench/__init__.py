"""Benchmarks; run them with ``python -m tests.bench``."""
