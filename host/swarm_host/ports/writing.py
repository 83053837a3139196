"""Writing to open files, for every port that does."""

from __future__ import annotations

import os

MOST = 64 * 1024 * 1024
"""Bytes that are given to the system at once."""


def put(file: int, data: bytes) -> None:
    """Writes all bytes to an open file.

    :raises OSError: where they do not fit, or the file cannot be written to.
    """
    left = memoryview(data)
    while left:
        left = left[os.write(file, left[:MOST]) :]
