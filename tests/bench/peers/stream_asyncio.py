"""A bare asyncio reader of what a program writes, parsed: lines, ndjson, frames or text."""

import asyncio
import json
import sys
import time


async def read(form: str, command: list[str]) -> int:
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, limit=1024 * 1024
    )
    out, count = process.stdout, 0
    assert out is not None
    if form == "lines":
        async for line in out:
            line.decode()
            count += 1
    elif form == "ndjson":
        async for line in out:
            json.loads(line)
            count += 1
    elif form == "frames":
        while head := await out.read(4):
            head += await out.readexactly(4 - len(head)) if len(head) < 4 else b""
            json.loads(await out.readexactly(int.from_bytes(head, "big")))
            count += 1
    else:
        count = len((await out.read()).decode())
    await process.wait()
    return count


started = time.monotonic()
items = asyncio.run(read(sys.argv[1], sys.argv[2:]))
print(json.dumps({"seconds": time.monotonic() - started, "items": items}))
