"""The report as TAP version 14 (https://testanything.org/tap-version-14-specification.html)."""

from __future__ import annotations

import json

import click

from swarm_host.testing.report.reporting import Summary
from swarm_host.testing.specs import BrokenFile, Result


class Tap:
    """Writes to stdout. A file that does not load is a test that fails."""

    def __init__(self) -> None:
        self._number = 0

    def begin(self, specs: int, broken: list[BrokenFile], seed: int) -> None:
        """The version and the plan."""
        click.echo(f"TAP version 14\n1..{specs + len(broken)}\n# seed {seed}")
        for file in broken:
            self._line("not ok", f"{file.file} loads")
            self._details({"message": file.text, "file": file.file, "said": file.said})

    def result(self, result: Result) -> None:
        """A test point, with what went wrong as YAML."""
        title = f"{result.spec.file}: {result.spec.title}"
        if result.status == "pending":
            self._line("ok", title, "SKIP pending")
        elif result.status == "not run":
            self._line("ok", title, "SKIP not run")
        elif result.status == "passed":
            self._line("ok", title)
        else:
            self._line("not ok", title)
            self._details({"message": result.text, "at": result.spec.where, "said": result.said})

    def end(self, summary: Summary) -> None:
        """An interrupted run says so."""
        if summary.interrupted:
            holder = f"; {summary.holder}" if summary.holder else ""
            click.echo(f"Bail out! interrupted by {summary.interrupted}{holder}")

    def _line(self, outcome: str, title: str, directive: str = "") -> None:
        self._number += 1
        escaped = " ".join(title.split()).replace("\\", "\\\\").replace("#", "\\#")
        ending = f" # {directive}" if directive else ""
        click.echo(f"{outcome} {self._number} - {escaped}{ending}")

    def _details(self, fields: dict[str, str]) -> None:
        lines = [f"  {key}: {json.dumps(text)}" for key, text in fields.items() if text]
        click.echo("\n".join(["  ---", *lines, "  ..."]))
