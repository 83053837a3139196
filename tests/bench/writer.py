"""Writes so many MB of items: lines, ndjson, frames or text. Cheap enough to be no part of it."""

import json
import os
import sys

BLOCK = 1024 * 1024


def item(number: int) -> bytes:
    """About a kilobyte, as agents say it: some structure, and a text."""
    text = f"step {number}: " + "what an agent says of what it does. " * 22
    usage = {"input_tokens": number, "output_tokens": 7, "cached": False, "cost": 0.25}
    return json.dumps({"kind": "message", "id": number, "text": text, "usage": usage}).encode()


def frame(text: bytes) -> bytes:
    return len(text).to_bytes(4, "big") + text


form, megabytes = sys.argv[1], int(sys.argv[2])
end = frame if form == "frames" else lambda text: text + b"\n"
items: list[bytes] = []
size = 0
while size < BLOCK:
    items.append(end(item(len(items))))
    size += len(items[-1])
block = memoryview(b"".join(items))
for _ in range(megabytes):
    left = block
    while left:
        left = left[os.write(1, left) :]
