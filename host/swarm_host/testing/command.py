"""``swarm-host test``: from its words to its exit status."""

from __future__ import annotations

import os
import secrets
import sys
from dataclasses import dataclass

import click

from swarm_host.errors import words_of
from swarm_host.testing.discovery import NothingMeant
from swarm_host.testing.report.reporting import Reporter, Summary
from swarm_host.testing.running import Runner
from swarm_host.testing.spec_run import Selection, SpecRun, listed
from swarm_host.threads.signals import Interrupted, Signals, end_at_once

USAGE = 2
SEEDS = 1_000_000


@dataclass(frozen=True, slots=True)
class SpecWish:
    """What the command's words ask for.

    :ivar seconds: real seconds for each spec.
    :ivar seed: what random numbers come from; None: any.
    :ivar form: ``human``, ``tap`` or ``json``.
    :ivar junit: a file for JUnit XML.
    :ivar helper: a module that is required before each spec file; "": none.
    """

    selection: Selection
    seconds: float
    seed: int | None
    form: str
    junit: str | None
    only_list: bool
    watch: bool
    trust: bool
    lua_path: tuple[str, ...]
    helper: str


def test(wish: SpecWish) -> int:
    """Does what is asked for, and returns the exit status; it may end the process instead."""
    with Signals() as signals:
        run = _Run(wish, signals)
        try:
            status = (
                run.tell_specs() if wish.only_list else run.watch() if wish.watch else run.once()
            )
        except NothingMeant as problem:
            click.echo(f"error: {problem}", err=True)
            status = USAGE
        except Interrupted as problem:
            status = 128 + problem.signal
        except BrokenPipeError:
            # What is still in Python's buffer must not fail once more at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            status = 1
        except OSError as problem:
            place = f"{problem.filename}: " if problem.filename else ""
            click.echo(f"error: {place}{words_of(problem)}", err=True)
            status = USAGE
        if run.left_behind:
            # Threads that Lua holds do not end, and the end of the interpreter would wait for them.
            end_at_once(status, _flush)
    return status


def _flush() -> None:
    sys.stdout.flush()
    sys.stderr.flush()


class _Run:
    def __init__(self, wish: SpecWish, signals: Signals) -> None:
        self._wish = wish
        self._signals = signals
        self._seed = secrets.randbelow(SEEDS) if wish.seed is None else wish.seed
        self._spec_run = SpecRun(wish.selection, self._seed)
        self._left_behind = 0
        self._runner = self._new_runner()

    @property
    def left_behind(self) -> bool:
        """Whether there are threads that do not end."""
        return self._runner.left_behind > 0 or self._left_behind > 0

    def _new_runner(self) -> Runner:
        return Runner(
            seconds=self._wish.seconds,
            seed=self._seed,
            signals=self._signals,
            trust=self._wish.trust,
            lua_path=self._wish.lua_path,
            helper=self._wish.helper,
        )

    def tell_specs(self) -> int:
        specs, broken = listed(self._wish.selection, self._runner)
        for spec in specs:
            pending = " (pending)" if spec.pending else ""
            click.echo(f"{spec.where}: {spec.title}{pending}")
        for file in broken:
            click.echo(f"error: {file.text}", err=True)
        return USAGE if broken else 0

    def once(self) -> int:
        summary = self._spec_run.run(self._runner, self._reporters())
        return self._status(summary)

    def watch(self) -> int:
        from swarm_host.testing.watching import Changes

        while True:
            changes = Changes(self._wish.selection.paths, self._runner.files)
            self._run_watched()
            if self._signals.received is not None:
                return 128 + self._signals.received
            number = len(self._runner.files)
            self._note(f"waiting for changes of {_files(number)}; Ctrl-C ends")
            changed = changes.wait(self._runner, self._signals)
            self._note(f"\nchanged: {', '.join(changed)}")

    def _run_watched(self) -> None:
        self._left_behind += self._runner.left_behind
        self._runner = self._new_runner()
        try:
            self._spec_run.run(self._runner, self._reporters())
        except NothingMeant as problem:
            self._note(f"error: {problem}")

    def _note(self, text: str) -> None:
        click.echo(text, err=self._wish.form != "human")

    def _reporters(self) -> list[Reporter]:
        reporters: list[Reporter] = []
        if self._wish.form == "tap":
            from swarm_host.testing.report.tap import Tap

            reporters.append(Tap())
        elif self._wish.form == "json":
            from swarm_host.testing.report.json_lines import JsonLines

            reporters.append(JsonLines())
        else:
            from swarm_host.testing.report.human import Human

            reporters.append(Human())
        if self._wish.junit is not None:
            from swarm_host.testing.report.junit import JUnit

            reporters.append(JUnit(self._wish.junit))
        return reporters

    def _status(self, summary: Summary) -> int:
        if self._signals.received is not None:
            return 128 + self._signals.received
        return summary.exit_status


def _files(number: int) -> str:
    return "1 file" if number == 1 else f"{number} files"
