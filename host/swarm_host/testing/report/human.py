"""The report for people: a line for each group of specs, then each failure in full."""

from __future__ import annotations

import shlex
import sys

import click

from swarm_host.testing.report.reporting import Summary
from swarm_host.testing.specs import BrokenFile, Result

_SAID_LINES = 30


class Human:
    """Writes to stdout."""

    def __init__(self) -> None:
        self._colours = sys.stdout.isatty()
        self._group: str | None = None
        self._counts: dict[str, int] = {}

    def begin(self, specs: int, broken: list[BrokenFile], seed: int) -> None:
        """Files that do not load come first."""
        for file in broken:
            self._write(f"{file.file}: {self._style('does not load', 'red')}")

    def result(self, result: Result) -> None:
        """Counts within a group; a line once the group is over."""
        groups = result.spec.groups
        name = f"{result.spec.file} > {_one_line(groups[0].name)}" if groups else result.spec.file
        if name != self._group:
            self._end_group()
            self._group = name
        self._counts[result.status] = self._counts.get(result.status, 0) + 1

    def end(self, summary: Summary) -> None:
        """The failures, and the sum of it."""
        self._end_group()
        for file in summary.broken:
            self._write(f"\n{self._style('DOES NOT LOAD', 'red')} {file.file}")
            self._write(_indented(file.text, "  "))
            self._say(file.said)
        for result in summary.results:
            if result.status == "failed":
                self._failure(result, summary.seed)
        counts = {
            status: summary.count(status) for status in ("passed", "failed", "pending", "not run")
        }
        text = self._counted(counts, always=("passed",))
        if summary.broken:
            number = len(summary.broken)
            text += ", " + self._style(
                "1 file does not load" if number == 1 else f"{number} files do not load", "red"
            )
        if summary.interrupted:
            text += f", interrupted by {summary.interrupted}"
        if summary.holder:
            self._write(f"\n{summary.holder}")
        self._write(f"\n{text} in {summary.seconds:.1f} s (seed {summary.seed})")

    def _failure(self, result: Result, seed: int) -> None:
        spec = result.spec
        self._write(f"\n{self._style('FAILED', 'red')} {spec.title} ({spec.where})")
        self._write(_indented(result.text, "  "))
        self._say(result.said)
        if spec.where.rpartition(":")[0] == spec.file:
            again = shlex.quote(spec.where)
        else:  # it is made by a module
            again = f"--filter {shlex.quote(spec.name)} {shlex.quote(spec.file)}"
        self._write(f"  again: swarm-host test --seed {seed} {again}")

    def _say(self, said: str) -> None:
        lines = said.splitlines()
        if lines:
            self._write("  it said:")
            if len(lines) > _SAID_LINES:
                self._write(f"    ... {len(lines) - _SAID_LINES} more lines")
            self._write(_indented("\n".join(lines[-_SAID_LINES:]), "    "))

    def _end_group(self) -> None:
        if self._group is not None:
            self._write(f"{self._group}: {self._counted(self._counts)}")
        self._group, self._counts = None, {}

    def _counted(self, counts: dict[str, int], always: tuple[str, ...] = ()) -> str:
        colours = {"passed": "green", "failed": "red", "pending": "yellow", "not run": "yellow"}
        return ", ".join(
            self._style(f"{counts.get(status, 0)} {status}", colour)
            for status, colour in colours.items()
            if counts.get(status) or status in always
        )

    def _style(self, text: str, colour: str) -> str:
        return click.style(text, fg=colour) if self._colours else text

    def _write(self, text: str) -> None:
        click.echo(text)


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _indented(text: str, pad: str) -> str:
    return "\n".join(f"{pad}{line}" if line else "" for line in text.splitlines())
