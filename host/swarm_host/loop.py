"""The event loop of a thread of our own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from importlib.util import find_spec
from typing import Any

import anyio


def run(main: Callable[[], Awaitable[Any]]) -> None:
    """Runs a coroutine function in a new event loop, uvloop's where that is installed."""
    # find_spec instead of an import: importing a loop that is not used costs start-up.
    fast = find_spec("uvloop") is not None
    anyio.run(main, backend_options={"use_uvloop": True} if fast else {})
