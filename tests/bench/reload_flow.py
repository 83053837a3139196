"""Reloads one after another while workers flow. Arguments: how many; ``broken`` for every other one
to be broken in a random way. Prints one JSON line.
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import anyio

from swarm_host import Host, LoadError, Options

SCRIPT = Path(__file__).with_name("flow.lua").read_text()

BROKEN = (
    ("x = = 1", "unexpected symbol"),
    ("do local function", "expected near"),
    ("error('no configuration')", "no configuration"),
    ("error({ code = 'mine' })", "mine"),
    ("nothing.at.all = 1", "nothing"),
    ('swarm.worker "bad" { timeout = -1, run = function() end }', "timeout"),
    ('swarm.worker "probe" { run = function() end }', "defined twice"),
    ('swarm.before("nobody", function() end)', "nobody"),
    ('require "a.module.that.is.missing"', "not found"),
    ("swarm.on_reload(function() error('veto') end)", "veto"),
    ("swarm.sleep(1)", "while it loads"),
)


def resident() -> int:
    """The process's memory in bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


async def flow(count: int, broken: bool) -> dict[str, Any]:
    """Reloads, and says how the workers fared."""
    dice = random.Random(5)
    folder = Path(tempfile.mkdtemp())
    path = folder / "flow.lua"
    path.write_text(SCRIPT)
    faults: list[str] = []
    outcome: list[Any] = []
    memory: dict[int, tuple[float, int]] = {}
    first = max(count // 20, 50)
    # Trusted, so that it may ask for a collection of garbage.
    async with Host.load(path, Options(trust=True)) as host:

        async def run() -> None:
            outcome.append(await host.run())

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(run)
            generation, started = 1, time.monotonic()
            for number in range(1, count + 1):
                text = SCRIPT.replace("NUMBER = 1", f"NUMBER = {generation + 1}")
                breaks = dice.choice(BROKEN) if broken and number % 2 == 0 else None
                path.write_text(f"{text}\n{breaks[0]}\n" if breaks else text)
                try:
                    change = await host.reload()
                except LoadError as problem:
                    if breaks is None or breaks[1] not in str(problem):
                        faults.append(str(problem))
                else:
                    generation += 1
                    if breaks or change.generation != generation:
                        faults.append(f"reload {number} is generation {change.generation}")
                if number in (first, count):
                    memory[number] = await host.call("collect"), resident()
            took = time.monotonic() - started
            alive = len(host.generations())
            await host.call("stop")
    end = outcome[0]
    before, after = memory[first], memory[count]
    return {
        "reloads": count,
        "reload_ms": took / count * 1000,
        "status": end.status,
        "workers": end.value["joined"],
        "workers_per_second": end.value["joined"] / end.value["seconds"],
        "lost": end.value["spawned"] - end.value["joined"],
        "wrong": end.value["wrong"],
        "faults": faults[:3],
        "generations_alive": alive,
        "lua_kb": [round(before[0]), round(after[0])],
        "resident_mb": [round(size / 2**20, 1) for size in (before[1], after[1])],
        "lua_ratio": after[0] / before[0],
        "resident_ratio": after[1] / before[1],
    }


if __name__ == "__main__":
    print(json.dumps(anyio.run(flow, int(sys.argv[1]), "broken" in sys.argv[2:])))
