"""Writes the table of exploration.md: each program of the specs, and how many schedules it has.

Run it after a change to the host or to the programs: ``python tests/exploration_table.py``. The
specs fail where the table is not what exploration finds.
"""

from __future__ import annotations

import re
from pathlib import Path

import anyio

from swarm_host import Host, Options

SPEC = Path(__file__).resolve().parents[1] / "spec"
PAGE = SPEC / "testing" / "exploration.md"
ROW = re.compile(r"^\| (.+?) \| (\d+) \|$", re.MULTILINE)


async def explored() -> list[tuple[str, int]]:
    """Runs every program of every chapter; each prints its row."""
    said: list[bytes] = []
    options = Options(
        spec=True,
        virtual_clock=True,
        closed_world=True,
        lua_path=(str(SPEC / "lua"),),
        write_out=said.append,
    )
    for file in sorted(SPEC.rglob("orders_spec.lua")):
        async with Host.load(file, options) as host:
            names = [spec["name"] for spec in host.specs()]
        for name in names:
            async with Host.load(file, options) as host:
                await host.run_worker(host.spawn_spec(name))
    rows = ROW.findall(b"".join(said).decode())
    return [(name, int(count)) for name, count in rows]


def table(rows: list[tuple[str, int]]) -> str:
    """The rows as the page has them, with their sum."""
    lines = ["| program | schedules |", "| --- | ---: |"]
    lines += [f"| {name} | {count:,} |" for name, count in rows]
    total = sum(count for _, count in rows)
    return "\n".join([*lines, "", f"{len(rows)} programs, {total:,} schedules.\n"])


def main() -> None:
    """Rewrites the page."""
    head, _, _ = PAGE.read_text().partition("| program | schedules |")
    rows = anyio.run(explored)
    if not rows:
        raise SystemExit("no program could be explored: run the specs to see why")
    PAGE.write_text(head + table(rows))


if __name__ == "__main__":
    main()
