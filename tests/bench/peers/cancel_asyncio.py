"""Sleeping asyncio tasks, cancelled all at once. Argument: how many."""

import asyncio
import json
import sys
import time


async def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    tasks = [asyncio.create_task(asyncio.sleep(3600)) for _ in range(count)]
    await asyncio.sleep(0.01)
    started = time.perf_counter()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    milliseconds = (time.perf_counter() - started) * 1000
    assert all(task.cancelled() for task in tasks)
    print(json.dumps({"peer": "asyncio", "ms": round(milliseconds, 1)}))


asyncio.run(main())
