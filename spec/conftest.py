"""Collects ``*_spec.lua``: each ``it`` is one item, run as a worker in a host of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from swarm_host import Host, Options, SwarmError
from swarm_host.view.errors import render

SECONDS = 30.0
"""Real seconds that one spec may take before it counts as hanging."""


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Takes spec files."""
    if file_path.name.endswith("_spec.lua"):
        collected: SpecFile = SpecFile.from_parent(parent, path=file_path)
        return collected
    return None


class SpecFailed(Exception):
    """A spec that did not pass; the text is what a reader needs."""


class SpecFile(pytest.File):
    """One spec file."""

    def collect(self) -> Iterator[pytest.Item]:
        """Loads the file and lists its specs."""

        async def listed() -> list[dict[str, Any]]:
            async with Host.load(self.path, Options(spec=True, virtual_clock=True)) as host:
                return host.specs()

        try:
            specs = anyio.run(listed)
        except SwarmError as problem:
            raise self.CollectError(render(problem.error)) from None
        for spec in specs:
            yield SpecItem.from_parent(self, name=spec["name"], spec=spec)


class SpecItem(pytest.Item):
    """One ``it``."""

    def __init__(self, *, spec: dict[str, Any], **rest: Any) -> None:
        super().__init__(**rest)
        self._spec = spec

    def runtest(self) -> None:
        """Runs the spec in a fresh host."""
        if self._spec["pending"]:
            pytest.skip("pending")
        said: list[str] = []

        async def run() -> None:
            options = Options(
                spec=True,
                virtual_clock=True,
                closed_world=True,
                write_log=lambda entry: said.append(f"{entry['level']}: {entry['message']}"),
                write_out=lambda out: said.append(out.decode(errors="replace")),
            )
            async with Host.load(self.path, options) as host:
                with anyio.fail_after(SECONDS):
                    outcome = await host.run_worker(host.spawn_spec(self.name))
            if outcome.status != "pass":
                error = outcome.error or {"message": outcome.status}
                raise SpecFailed("\n".join([render(error), *said]))

        anyio.run(run)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> str:
        """The author's view of a failure: no Python frames."""
        if isinstance(excinfo.value, SpecFailed):
            return str(excinfo.value)
        return str(super().repr_failure(excinfo, style))

    def reportinfo(self) -> tuple[Path, int, str]:
        """Where the spec stands."""
        line = int(str(self._spec["where"]).rpartition(":")[2]) - 1
        return self.path, line, self.name
