"""Random programs: each in a host of its own, under a virtual clock."""

from __future__ import annotations

import faulthandler
import random
import sys
from pathlib import Path

import anyio

from swarm_host import Host, Options

PROGRAM = Path(__file__).with_name("program.lua")

HANG_SECONDS = 60
"""How long one program may take before the process is ended for it."""


def run(seed: int, count: int) -> list[str]:
    """Runs programs made from a seed. Returns what went wrong, a line each."""
    chance = random.Random(seed)
    wrong = []
    for _ in range(count):
        one = chance.randrange(2**31)
        print(f"program {one}", file=sys.stderr)  # the last one is what hangs, where one does
        faulthandler.dump_traceback_later(HANG_SECONDS, exit=True)
        wrong += [f"program {one}: {problem}" for problem in anyio.run(_problems, one)]
    faulthandler.cancel_dump_traceback_later()
    return wrong


async def _problems(seed: int) -> list[str]:
    options = Options(args=[str(seed)], virtual_clock=True, closed_world=True)
    async with Host.load(PROGRAM, options) as host:
        outcome = await host.run()
        if outcome.status != "pass":
            return [f"{outcome.status}: {outcome.error}"]
        problems = list(outcome.value["wrong"])
        live = host.counts()["live"]
    return [*problems, f"{live} workers are alive"] if live else problems
