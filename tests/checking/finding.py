"""What tests of ``swarm-host check`` share: a script is written and checked."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import anyio

from swarm_host import Host, Options
from swarm_host.checking.finding import Finding
from swarm_host.checking.loaded import Loaded
from swarm_host.checking.reading import check
from swarm_host.errors import LoadError
from swarm_host.testing.discovery import ENDING


async def loaded(script: Path, lua_path: Sequence[str] = ()) -> Loaded:
    """Loads a script as ``swarm-host check`` does."""
    is_spec = script.name.endswith(ENDING)
    options = Options(
        checked=True,
        spec=is_spec,
        virtual_clock=is_spec,
        lua_path=lua_path,
        write_out=lambda _: None,
    )
    host = Host(options)
    async with host.pumping():
        try:
            await host.load_script(script)
        except LoadError as problem:
            return Loaded(None, host.checked(), problem.error, is_spec)
        return Loaded(host.describe(), host.checked(), None, is_spec)


def found(script: Path, lua_path: Sequence[str] = ()) -> list[Finding]:
    """All that is found in a script."""
    return check(str(script), lua_path, anyio.run(loaded, script, lua_path))


def found_in(folder: Path, text: str | bytes, name: str = "script.lua") -> list[Finding]:
    """All that is found in a text."""
    script = folder / name
    script.write_bytes(text if isinstance(text, bytes) else text.encode())
    return found(script)


def places(findings: Sequence[Finding]) -> list[str]:
    """Each finding as ``id line:column``."""
    return [f"{one.id} {one.line}:{one.column}" for one in findings]
