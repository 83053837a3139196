"""Tasks that sleep; the processor time of each. Arguments: how many; same or different times."""

import asyncio
import json
import sys
import time

SECONDS, SPREAD = 2, 100


async def sleeper(seconds: float) -> None:
    await asyncio.sleep(seconds)


async def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    different = sys.argv[2:] == ["different"]
    started, tasks = time.process_time(), []
    for i in range(count):
        extra = i * 7919 % SPREAD / 1000 if different else 0
        tasks.append(asyncio.create_task(sleeper(SECONDS + extra)))
    for task in tasks:
        await task
    microseconds = (time.process_time() - started) / count * 1e6
    print(json.dumps({"peer": "asyncio", "us": round(microseconds, 3)}))


asyncio.run(main())
