"""The line of progress: how many workers run, wait and have ended, in one line of a terminal."""

from __future__ import annotations

import os

from swarm_host.view.cells import duration

_COLUMNS, _LINES = 80, 24
"""Of a terminal that does not say."""
_ENDS = ("failed", "timeout", "cancelled", "blocked")


def progress_line(counts: dict[str, int], seconds: float, width: int | None = None) -> str:
    """The line, such as ``2 running · 1 pending · 7 passed · 1 failed · 12 s``.

    :param counts: as :meth:`swarm_host.host.Host.counts` gives them.
    :param seconds: for how long it has run.
    :param width: columns that there are; None: as many as it takes.
    """
    waiting = counts["live"] - counts["running"]
    parts = [f"{counts['running']} running"]
    if waiting:
        parts.append(f"{waiting} pending")
    parts.append(f"{counts['pass']} passed")
    parts += [f"{counts[name]} {name}" for name in _ENDS if counts[name]]
    line = f"{' · '.join(parts)} · {duration(seconds)}"
    return line if width is None or len(line) <= width else f"{line[: width - 1]}…"


def is_in_front(terminal: int) -> bool:
    """Whether this process is in the foreground: who is not draws over what others write."""
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return True  # it is not the terminal of this session


def is_controlling(terminal: int) -> bool:
    """Whether a descriptor is the controlling terminal of this process."""
    try:
        os.tcgetpgrp(terminal)
    except OSError:
        return False
    return True


def size_of_terminal(terminal: int) -> tuple[int, int]:
    """The columns of a terminal that a line may take, and its lines.

    The last column stays free: some terminals go on to the next line after it.

    :param terminal: its descriptor.
    """
    try:
        columns, lines = os.get_terminal_size(terminal)
    except OSError:
        columns, lines = 0, 0
    return max((columns or _COLUMNS) - 1, 1), lines or _LINES
