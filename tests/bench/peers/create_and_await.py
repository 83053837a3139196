"""One asyncio task created and awaited after another. Argument: how many."""

import asyncio
import json
import sys
import time


async def leaf(x: int) -> int:
    return x


async def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 300_000
    started, total = time.perf_counter(), 0
    for i in range(1, count + 1):
        total += await asyncio.create_task(leaf(i))
    microseconds = (time.perf_counter() - started) / count * 1e6
    assert total == count * (count + 1) // 2
    print(json.dumps({"peer": "asyncio", "us": round(microseconds, 3)}))


asyncio.run(main())
