"""Eight tasks pass the two permits of an asyncio.Semaphore on. Argument: how often each."""

import asyncio
import json
import sys
import time

TASKS, PERMITS = 8, 2


async def worker(semaphore: asyncio.Semaphore, queued: asyncio.Event, count: int) -> None:
    await semaphore.acquire()
    await queued.wait()  # until the others wait for the permits
    for _ in range(count):
        semaphore.release()
        await semaphore.acquire()
    semaphore.release()


async def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    semaphore, queued = asyncio.Semaphore(PERMITS), asyncio.Event()
    tasks = [asyncio.create_task(worker(semaphore, queued, count)) for _ in range(TASKS)]
    await asyncio.sleep(0)
    started = time.perf_counter()
    queued.set()
    await asyncio.gather(*tasks)
    microseconds = (time.perf_counter() - started) / (count * TASKS) * 1e6
    print(json.dumps({"peer": "asyncio", "us": round(microseconds, 3)}))


asyncio.run(main())
