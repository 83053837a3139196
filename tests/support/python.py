"""What tests of Python workers share: a host whose script has modules beside it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from swarm_host import Handle, Host, Options, WorkerFailed


def save(folder: Path, **modules: str) -> None:
    """Writes modules: each named as an argument, without its ending."""
    for name, text in modules.items():
        (folder / f"{name}.py").write_text(dedent(text))


@asynccontextmanager
async def beside(
    folder: Path, script: str, *, options: dict[str, Any] | None = None, **modules: str
) -> AsyncIterator[Host]:
    """A host with a script and modules beside it."""
    save(folder, **modules)
    path = folder / "script.lua"
    path.write_text(script)
    async with Host.load(path, Options(**(options or {}))) as host:
        yield host


async def error_of(host: Host, name: str, value: Any = None) -> dict[str, Any]:
    """What a worker fails with."""
    with pytest.raises(WorkerFailed) as raised:
        await host.call(name, value)
    return raised.value.error


async def said(handle: Handle) -> list[dict[str, Any]]:
    """What a worker said, until it has settled."""
    return [event async for event in handle.follow()]
