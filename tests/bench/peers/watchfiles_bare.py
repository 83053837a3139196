"""A bare watchfiles loop: prints the time of each event. Argument: a folder."""

import asyncio
import sys
import time

from watchfiles import awatch


async def main() -> None:
    async for _ in awatch(sys.argv[1], step=5, debounce=50, recursive=False):
        print(time.monotonic(), flush=True)


asyncio.run(main())
