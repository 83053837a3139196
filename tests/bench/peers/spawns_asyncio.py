"""Short processes by asyncio alone: so many, so many at once, on a loop that is named."""

import asyncio
import json
import sys
import time

PIPE, DEVNULL = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL


async def one() -> None:
    process = await asyncio.create_subprocess_exec(
        "true", stdin=DEVNULL, stdout=PIPE, stderr=PIPE, start_new_session=True
    )
    await process.communicate()


async def main(count: int, at_once: int) -> float:
    left = iter(range(count))

    async def worker() -> None:
        for _ in left:
            await one()

    await one()
    started = time.monotonic()
    await asyncio.gather(*(worker() for _ in range(at_once)))
    return time.monotonic() - started


numbers = [int(text) for text in sys.argv[2:]]
if sys.argv[1] == "uvloop":
    import uvloop

    seconds = uvloop.run(main(*numbers))
else:
    seconds = asyncio.run(main(*numbers))
print(json.dumps({"seconds": seconds}))
