"""A number goes to another task and back, over two asyncio.Queues of one. Argument: how many."""

import asyncio
import json
import sys
import time


async def echo(there: asyncio.Queue[int], back: asyncio.Queue[int], count: int) -> None:
    for _ in range(count):
        await back.put(await there.get())


async def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 300_000
    there: asyncio.Queue[int] = asyncio.Queue(1)
    back: asyncio.Queue[int] = asyncio.Queue(1)
    task = asyncio.create_task(echo(there, back, count))
    started = time.perf_counter()
    for i in range(count):
        await there.put(i)
        assert await back.get() == i
    microseconds = (time.perf_counter() - started) / count * 1e6
    await task
    print(json.dumps({"peer": "asyncio", "us": round(microseconds, 3)}))


asyncio.run(main())
