"""One run of specs: what is meant is listed, run one after another, and told."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from swarm_host.testing.discovery import NothingMeant, Target, find, matching
from swarm_host.testing.report.reporting import Reporter, Summary
from swarm_host.testing.running import Runner
from swarm_host.testing.specs import BrokenFile, Result, Spec
from swarm_host.threads.signals import Interrupted

LEFT_BEHIND_MOST = 3
"""Threads that Lua holds for good, each of which costs a processor: past these the run ends."""


@dataclass(frozen=True, slots=True)
class Selection:
    """What is meant.

    :ivar paths: files, folders, ``FILE:LINE``; none: the working directory.
    :ivar filters: texts of which a spec's name contains one.
    :ivar fail_fast: nothing is run after the first failure.
    """

    paths: Sequence[str] = ()
    filters: Sequence[str] = ()
    fail_fast: bool = False


def listed(selection: Selection, runner: Runner) -> tuple[list[Spec], list[BrokenFile]]:
    """The specs that are meant, and the files that do not load.

    :raises NothingMeant: there are none.
    :raises Interrupted: a signal came.
    """
    specs: list[Spec] = []
    broken: list[BrokenFile] = []
    targets: list[Target] = find(selection.paths)
    for target in targets:
        found = runner.load(target.file)
        if isinstance(found, BrokenFile):
            broken.append(found)
        else:
            specs += target.select(found)
    chosen = matching(specs, selection.filters)
    if not chosen and not broken:
        if specs:
            shown = " or ".join(f'"{text}"' for text in selection.filters)
            raise NothingMeant(f"none of {len(specs)} specs has {shown} in its name")
        raise NothingMeant(f"no specs found: {', '.join(t.file for t in targets)} defines none")
    return chosen, broken


class SpecRun:
    """Runs what a selection means, and remembers what failed.

    :param selection: what is meant.
    :param seed: what random numbers come from.
    """

    def __init__(self, selection: Selection, seed: int) -> None:
        self._selection = selection
        self._seed = seed
        self._failed: set[tuple[str, str]] = set()

    def run(self, runner: Runner, reporters: Sequence[Reporter]) -> Summary:
        """Runs all once; what failed the last time comes first.

        :raises NothingMeant: there is nothing to run.
        """
        started = time.monotonic()
        summary = Summary(self._seed)
        try:
            specs, summary.broken = listed(self._selection, runner)
        except Interrupted as problem:
            summary.interrupted = problem.signal.name
            specs = []
        specs.sort(key=lambda spec: (spec.file, spec.name) not in self._failed)
        for reporter in reporters:
            reporter.begin(len(specs), summary.broken, self._seed)
        stopped = False
        for spec in specs:
            result = Result(spec, "not run")
            if spec.pending:
                result = Result(spec, "pending")
            elif not stopped:
                try:
                    result = runner.run(spec)
                except Interrupted as problem:
                    summary.interrupted, summary.holder = problem.signal.name, problem.holder
                    stopped = True
            summary.results.append(result)
            for reporter in reporters:
                reporter.result(result)
            stopped = (
                stopped
                or (result.status == "failed" and self._selection.fail_fast)
                or runner.left_behind >= LEFT_BEHIND_MOST
            )
        summary.seconds = time.monotonic() - started
        self._failed = {
            (result.spec.file, result.spec.name)
            for result in summary.results
            if result.status == "failed"
        }
        for reporter in reporters:
            reporter.end(summary)
        return summary
