"""Collects ``*_spec.lua``: each ``it`` is one item, run as ``swarm-host test`` runs it.

Words that several chapters share lie in ``spec/lua``: ``swarm-host test --lua-path spec/lua spec``.
"""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from swarm_host.testing.running import Runner
from swarm_host.testing.specs import BrokenFile, Spec

SEED = int(os.environ.setdefault("SWARM_SPECS_SEED", str(secrets.randbelow(1_000_000))))
SHARED = Path(__file__).parent / "lua"
FAKES = Path(__file__).resolve().parents[1] / "tests" / "fakes" / "bin"
# Programs that play agents, and the Python that has what they import.
os.environ["PATH"] = os.pathsep.join(
    [str(FAKES), str(Path(sys.executable).parent), os.environ["PATH"]]
)
RUNNER = Runner(seed=SEED, lua_path=(str(SHARED),))


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
        listed = RUNNER.load(str(self.path))
        if isinstance(listed, BrokenFile):
            raise self.CollectError(listed.text)
        for spec in listed:
            yield SpecItem.from_parent(self, name=spec.name, spec=spec)


class SpecItem(pytest.Item):
    """One ``it``."""

    def __init__(self, *, spec: Spec, **rest: Any) -> None:
        super().__init__(**rest)
        self._spec = spec

    def runtest(self) -> None:
        """Runs the spec in a fresh host."""
        if self._spec.pending:
            pytest.skip("pending")
        result = RUNNER.run(self._spec)
        if result.status == "pending":
            pytest.skip("pending")
        if result.status != "passed":
            again = f"again: swarm-host test --lua-path {SHARED} --seed {SEED} {self._spec.where}"
            raise SpecFailed("\n".join([result.text, result.said, again]))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> str:
        """The author's view of a failure: no Python frames."""
        if isinstance(excinfo.value, SpecFailed):
            return str(excinfo.value)
        return str(super().repr_failure(excinfo, style))

    def reportinfo(self) -> tuple[Path, int, str]:
        """Where the spec stands."""
        return self.path, self._spec.first - 1, self.name
