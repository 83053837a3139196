"""Short processes through a host, on a loop that is named: the seconds they took, as JSON.

python -m tests.bench.spawns asyncio|uvloop COUNT AT_ONCE
"""

import json
import sys
from pathlib import Path

import anyio

from swarm_host import Host

SCRIPT = Path(__file__).with_name("spawns.lua")


async def main(count: int, at_once: int) -> float:
    """Runs them, one before to have all that starts once."""
    async with Host.load(SCRIPT) as host:
        await host.call("true")
        seconds: float = await host.call("spawns", {"count": count, "at_once": at_once})
        return seconds


if __name__ == "__main__":
    options = {"use_uvloop": sys.argv[1] == "uvloop"}
    count, at_once = map(int, sys.argv[2:])
    print(json.dumps({"seconds": anyio.run(main, count, at_once, backend_options=options)}))
