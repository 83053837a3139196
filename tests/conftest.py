"""The tests mean what they say wherever they run: what a machine's environment would have the host
do otherwise is taken out of it, once, before the first test."""

from __future__ import annotations

import os
import shutil
import tempfile

import pytest

IN_CI = bool(os.environ.get("CI"))
"""Whether this is a run where every tool must be there, so that no check is skipped."""


def pytest_configure(config: pytest.Config) -> None:
    """Takes out what the host and its libraries read."""
    for name in ("CI", "NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES", "WATCHFILES_FORCE_POLLING"):
        os.environ.pop(name, None)
    os.environ["TERM"] = "xterm-256color"
    # Journals of the tests' runs are nobody's.
    state = tempfile.mkdtemp(prefix="swarm-host-state-")
    os.environ["XDG_STATE_HOME"] = state
    config.add_cleanup(lambda: shutil.rmtree(state, ignore_errors=True))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Gives the processes that share the work one order, which tables of Lua's have not."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: item.nodeid)
