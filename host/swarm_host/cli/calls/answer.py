"""``swarm-host answer``: what a run asks, and an answer to it; whether the run goes on or waits."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain, islice
from pathlib import Path
from typing import Any, Protocol

import click

from swarm_host.cli.calls.asking import NobodyThere, NoTerminal, ask
from swarm_host.cli.calls.speaking import spoken_to
from swarm_host.cli.given import read_value, read_word
from swarm_host.cli.looking.lines import journal_of, told
from swarm_host.entries import harmless
from swarm_host.errors import SwarmError
from swarm_host.journal.places import SUFFIX, NoJournal, began, journals
from swarm_host.journal.questions import NotAnswered
from swarm_host.journal.questions import answer as answer_in_journal
from swarm_host.journal.reading.reader import Reader
from swarm_host.login import login
from swarm_host.ports.contract import PortError
from swarm_host.serving import addresses
from swarm_host.serving.addresses import NoRun, connect, runs
from swarm_host.serving.client import Client, Gone, Refused
from swarm_host.view.asked import asked
from swarm_host.view.prompt.wording import answered, context_of, shown_of

_LOOK_SECONDS = 5.0
"""How long a run may take to say whether it asks something, where all are looked at."""

_ENDING_SECONDS = 3.0
"""How long a run may take to end that does not listen any more."""
_AGAIN_SECONDS = 0.05
_NAMED = 10
"""Open questions that a message names."""


class _Asker(Protocol):
    """A run that may have questions.

    :ivar run: its id.
    :ivar resumes: how it goes on; nothing: it does anyway.
    """

    run: str
    resumes: str

    def questions(self) -> Iterator[dict[str, Any]]:
        """Those that are open, the oldest first."""
        ...

    def answer(self, key: str, value: Any, reason: str | None) -> None:
        """Answers one."""
        ...


@click.command()
@click.argument("run")
@click.argument("key", required=False)
@click.argument("value", required=False)
@click.option("--reason", metavar="TEXT", help="Why: it is kept with the answer.")
@click.option("--json", "as_json", is_flag=True, help="Questions as JSON, an object a line.")
def answer(run: str, key: str | None, value: str | None, reason: str | None, as_json: bool) -> None:
    """Answer the question KEY (T-2.1) of RUN with VALUE; without VALUE ask for it here.

    Without KEY the open questions are listed. RUN is an id, the beginning of one, the path of a
    journal, or last: of the runs that have open questions the last to begin. VALUE is a text, or
    JSON where the question has a schema; - is standard input.

    A run that goes on hears of it at once; of one that has ended the answer is kept in its journal,
    for swarm-host resume. The first answer counts.
    """
    key = None if key is None else read_word(key, "KEY")
    reason = None if reason is None else read_word(reason, "--reason")
    with _asker(_last() if run == "last" else run) as asker:
        if key is None:
            _list(asker, as_json)
            return
        question = next((one for one in asker.questions() if one["key"] == key), None)
        if value is None:
            given = _asked_for(asker, key, question, as_json)
        else:
            is_json = question is not None and question.get("schema") is not None
            given = read_value(value, as_json=is_json)
        asker.answer(key, given, reason)
        if as_json:
            click.echo(json.dumps({"run_id": asker.run, "key": key, "value": given}))
            return
        click.echo(f"{answered(question, given) if question else harmless(key)} (run {asker.run})")
        if asker.resumes:
            more = sum(1 for _ in asker.questions())
            click.echo(f"{more} more to answer" if more else asker.resumes)


def _asked_for(asker: _Asker, key: str, question: dict[str, Any] | None, as_json: bool) -> Any:
    """An answer from the person at the terminal; without a terminal the question is shown."""
    if question is None:
        open_ = ", ".join(islice((one["key"] for one in asker.questions()), _NAMED))
        said = f"there is no open question {key}" + (f"; open are {open_}" if open_ else "")
        raise click.ClickException(harmless(said))
    try:
        return ask(question)
    except NoTerminal as problem:
        shown = context_of(question, shown_of(question), None)
        click.echo(json.dumps(question) if as_json else harmless(shown))
        raise click.ClickException(str(problem)) from None
    except NobodyThere as problem:
        raise click.ClickException(str(problem)) from None


def _list(asker: _Asker, as_json: bool) -> None:
    many = 0
    for one in asker.questions():
        click.echo(json.dumps(one) if as_json else harmless(asked(one)))
        many += 1
    if not as_json:
        end = f"swarm-host answer {asker.run} KEY VALUE answers" if many else "asks nothing"
        click.echo(f"run {asker.run}: {end}", err=True)


# Runs. -------------------------------------------------------------------------------------------


@contextmanager
def _asker(run: str) -> Iterator[_Asker]:
    """A run by its name; what goes wrong ends the command with one line."""
    end = time.monotonic() + _ENDING_SECONDS
    while not _is_heard(run):
        with journal_of(run) as reader:
            name, path, is_live = reader.run_id, reader.path, reader.live
        if not is_live:
            with told():
                yield _Ended(path, name)
            return
        if _is_heard(name):
            run = name
        elif time.monotonic() > end:
            said = f"run {name} goes on and does not listen; where it is ending, try again"
            raise click.ClickException(harmless(said))
        else:
            time.sleep(_AGAIN_SECONDS)
    with spoken_to(run) as client:
        yield _Live(run, client)


def _is_heard(run: str) -> bool:
    """Whether there is a run to speak to."""
    try:
        connect(addresses.find(run)).close()
    except (NoRun, OSError):
        return False
    return True


class _Live:
    """A run that goes on."""

    resumes = ""

    def __init__(self, run: str, client: Client) -> None:
        self.run = run
        self._client = client

    def questions(self) -> Iterator[dict[str, Any]]:
        """Those that are open, the oldest first."""
        beyond = 0
        while listed := self._client.ask("answer_query", beyond=beyond)["questions"]:
            yield from listed
            beyond = listed[-1]["nth"]

    def answer(self, key: str, value: Any, reason: str | None) -> None:
        """Answers one."""
        why = {} if reason is None else {"reason": reason}
        self._client.ask("answer_query", key=key, value=value, by=login(), **why)


class _Ended:
    """A run that nobody works on."""

    def __init__(self, path: Path, run: str) -> None:
        self.run = run
        self.resumes = f"resume it with: swarm-host resume {run}"
        self._path = path

    def questions(self) -> Iterator[dict[str, Any]]:
        """Those that are open, the oldest first."""
        with Reader(self._path) as reader:
            yield from reader.open_questions()

    def answer(self, key: str, value: Any, reason: str | None) -> None:
        """Answers one."""
        try:
            answer_in_journal(self._path, key, value, login(), reason)
        except (NotAnswered, SwarmError, PortError) as problem:
            raise click.ClickException(harmless(str(problem))) from None


def _last() -> str:
    """The last run to begin of those that have open questions."""
    try:
        live = [(run.began, run.id) for run in runs()]
    except OSError as problem:
        raise click.ClickException(str(problem)) from None
    try:
        ended = [(began(path), str(path)) for path in journals()]
    except NoJournal as problem:
        raise click.ClickException(str(problem)) from None
    for _, name in sorted(chain(live, ended), reverse=True):
        if _asks(name):
            return name
    raise click.ClickException("no run has an open question")


def _asks(run: str) -> bool:
    """Whether a run has open questions; one that cannot be asked has none."""
    if not run.endswith(SUFFIX):
        try:
            with connect(addresses.find(run)) as connection:
                connection.settimeout(_LOOK_SECONDS)
                return bool(Client(connection).ask("answer_query", beyond=0)["open"])
        except (NoRun, Gone, Refused, OSError):
            return False
    try:
        with Reader(Path(run)) as reader:
            return not reader.live and any(True for _ in reader.open_questions())
    except NoJournal:
        return False
