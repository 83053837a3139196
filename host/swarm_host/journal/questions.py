"""The questions that a journal has, and answers that are written into it while nobody works on its
run."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from swarm_host.journal.contents import content_of
from swarm_host.journal.places import Lock, NoJournal, number_of
from swarm_host.journal.reading.readable import value_of
from swarm_host.journal.schema import check
from swarm_host.vm.given import to_json

_NAMED = 10
"""Open questions that a message names."""


class Question(NamedTuple):
    """A question that a task has asked.

    :ivar key: by which it is known.
    :ivar about: ``question``, ``to``, ``kind``, ``choices`` and the like, as Lua has written it.
    :ivar since: when it was asked, in Unix seconds.
    :ivar answer: what it came to: ``value``, ``by``, ``via``, or ``withdrawn``; None: nobody has
        answered yet.
    """

    key: str
    task: int
    about: dict[str, Any]
    since: float
    answer: dict[str, Any] | None

    @property
    def is_open(self) -> bool:
        """Whether an answer is waited for."""
        return self.answer is None


class NotAnswered(Exception):
    """An answer was not taken: there is no such question, or it does not fit."""


def questions(
    connection: sqlite3.Connection, journal: Path, key: str | None = None
) -> Iterator[Question]:
    """The questions of a journal, in the order of their tasks.

    :param key: of the one that is meant; None: all.
    :raises NoJournal: what one consists of is missing.
    """
    task, _, nth = (key or "").rpartition(".")
    which = "" if key is None else "AND q.task=? AND q.key=? "
    rows = connection.execute(
        "SELECT q.task, q.key, q.value, a.value FROM kept q LEFT JOIN kept a ON a.task=q.task "
        "AND a.kind='answer' AND a.nth=0 AND a.key=q.key LEFT JOIN ends e ON e.task=q.task "
        "WHERE q.kind='question' AND (e.task IS NULL OR e.status<>'pass' OR a.task IS NOT NULL) "
        f"{which}ORDER BY q.task, CAST(q.key AS INTEGER)",
        [] if key is None else [number_of(task), nth],
    )
    for number, nth, asked, answered in rows:
        about, since = _asked(content_of(journal, asked))
        answer = None if answered is None else value_of(content_of(journal, answered))
        if answer is not None and answer.get("open"):
            answer = None
        yield Question(f"T-{number}.{nth}", number, about, since, answer)


def _asked(text: str) -> tuple[dict[str, Any], float]:
    """What a question says, as JSON can say it, and when it was asked."""
    asked = value_of(text)
    about = asked["about"]
    show = json.loads(text)["about"].get("show")
    if isinstance(show, dict) and "$file" in show:
        about["show"] = {"kind": "file_ref", "path": about["show"]}
    return about, asked["since"]


def answer(path: Path, key: str, value: Any, by: str, reason: str | None) -> Question:
    """Answers a question of a run that nobody works on: whoever resumes it finds the answer.

    :param value: what JSON can say.
    :return: the question.
    :raises NoJournal: it is none, or somebody works on the run.
    :raises NotAnswered: there is no such question, it was answered, or the answer does not fit.
    :raises SwarmError: ``invalid_value``: JSON cannot say the answer.
    :raises PortError: the question has a schema, and the extra that reads it is missing.
    """
    with closing(Lock(path)):
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=60)
        try:
            check(connection, str(path), migrate=True)
            with connection:
                connection.execute("PRAGMA synchronous=full")
                found = next(questions(connection, path, key), None)
                if found is None:
                    known = questions(connection, path)
                    open_ = ", ".join(islice((one.key for one in known if one.is_open), _NAMED))
                    raise NotAnswered(
                        f"there is no question {key}" + (f"; open are {open_}" if open_ else "")
                    )
                if found.answer is not None:
                    raise NotAnswered(_was_answered(found))
                _check(found, value)
                given: dict[str, Any] = {"value": value, "by": by, "via": "journal"}
                given |= {"at": time.time()} | ({"reason": reason} if reason else {})
                text = to_json(given, "answer").decode()
                number = key.partition(".")[2]
                connection.execute(
                    "INSERT OR REPLACE INTO kept VALUES(?,'answer',0,?,?)",
                    (found.task, number, text),
                )
                return found
        except sqlite3.Error as problem:
            raise NoJournal(f"{path} is damaged: {problem}. It was left as it is") from None
        finally:
            connection.close()


def _check(question: Question, value: Any) -> None:
    """Sees that an answer is one that the question takes."""
    choices, schema = question.about.get("choices"), question.about.get("schema")
    if value is None:
        raise NotAnswered("an answer needs a value")
    to_json(value, "the answer")
    if choices and value not in choices:
        raise NotAnswered(f"the answer is one of {', '.join(choices)}, and not {value!r}")
    if schema is None:
        if question.about.get("kind") != "attempt" and not isinstance(value, str):
            raise NotAnswered("the answer is a text")
        return
    from swarm_host.ports.schema import misfit

    problem = misfit(schema, value)
    if problem is not None:
        raise NotAnswered(f"the answer does not fit: {problem}")


def _was_answered(question: Question) -> str:
    answer = question.answer or {}
    if "withdrawn" in answer:
        return f"question {question.key} is over: {answer['withdrawn']}"
    by, via = answer.get("by"), answer.get("via")
    who = f" by {by}" if by else ""
    return f"question {question.key} was answered already{who} ({via}): that answer counts"
