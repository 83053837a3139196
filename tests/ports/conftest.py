"""Each loop that the host runs in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest

LOOPS = ["asyncio", "uvloop"]


@pytest.fixture(params=LOOPS)
def within(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """Runs an async function on either loop, with a bound: a hang is a failure."""
    fast = request.param == "uvloop"
    if fast:
        pytest.importorskip("uvloop")

    def run(seconds: float, main: Callable[[], Awaitable[Any]]) -> Any:
        async def bounded() -> Any:
            with anyio.fail_after(seconds):
                return await main()

        return anyio.run(bounded, backend_options={"use_uvloop": fast})

    return run
