"""The report as JSON lines: one object for what is to be run, one a spec, one for the end."""

from __future__ import annotations

import json
from typing import Any

import click

from swarm_host.testing.report.reporting import Summary
from swarm_host.testing.specs import BrokenFile, Result


class JsonLines:
    """Writes to stdout."""

    def begin(self, specs: int, broken: list[BrokenFile], seed: int) -> None:
        """``begin``, and a ``broken`` for each file that does not load."""
        _put({"type": "begin", "specs": specs, "seed": seed})
        for file in broken:
            _put(
                {
                    "type": "broken",
                    "file": file.file,
                    "message": file.text,
                    "error": file.error,
                    "said": file.said,
                }
            )

    def result(self, result: Result) -> None:
        """``spec``."""
        spec = result.spec
        line: dict[str, Any] = {
            "type": "spec",
            "file": spec.file,
            "line": spec.first,
            "name": spec.name,
            "status": result.status,
            "seconds": round(result.seconds, 6),
            "said": result.said,
        }
        if result.error is not None:
            line |= {"message": result.text, "error": result.error}
        _put(line)

    def end(self, summary: Summary) -> None:
        """``end``."""
        _put(
            {
                "type": "end",
                "passed": summary.count("passed"),
                "failed": summary.count("failed"),
                "pending": summary.count("pending"),
                "not_run": summary.count("not run"),
                "broken": len(summary.broken),
                "interrupted": summary.interrupted,
                "holder": summary.holder,
                "seconds": round(summary.seconds, 6),
                "seed": summary.seed,
            }
        )


def _put(line: dict[str, Any]) -> None:
    click.echo(json.dumps(line))
