"""The questions that a journal has, and answers that are written into it while nobody works on its
run."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

from swarm_host.journal.contents import content_of
from swarm_host.journal.places import Lock, NoJournal
from swarm_host.journal.schema import check


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


def questions(connection: sqlite3.Connection, journal: Path) -> Iterator[Question]:
    """All questions of a journal, in the order in which they were asked.

    :raises NoJournal: what one consists of is missing.
    """
    rows = connection.execute(
        "SELECT q.task, q.key, q.value, a.value FROM kept q LEFT JOIN kept a ON a.task=q.task "
        "AND a.kind='answer' AND a.nth=0 AND a.key=q.key LEFT JOIN ends e ON e.task=q.task "
        "WHERE q.kind='question' AND (e.task IS NULL OR e.status<>'pass' OR a.task IS NOT NULL) "
        "ORDER BY q.task, CAST(q.key AS INTEGER)"
    )
    for task, key, asked, answered in rows:
        text = json.loads(content_of(journal, asked))
        answer = None if answered is None else json.loads(content_of(journal, answered))
        if answer is not None and answer.get("open"):
            answer = None
        yield Question(f"T-{task}.{key}", task, text["about"], text["since"], answer)


def answer(path: Path, key: str, value: Any, by: str, reason: str | None) -> Question:
    """Answers a question of a run that nobody works on: whoever resumes it finds the answer.

    :param value: what JSON can say.
    :return: the question.
    :raises NoJournal: it is none, or somebody works on the run.
    :raises NotAnswered: there is no such question, or it was answered.
    """
    with closing(Lock(path)):
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=60)
        try:
            check(connection, str(path), migrate=True)
            with connection:
                connection.execute("PRAGMA synchronous=full")
                known = list(questions(connection, path))
                found = next((one for one in known if one.key == key), None)
                if found is None:
                    open_ = ", ".join(one.key for one in known if one.is_open)
                    raise NotAnswered(
                        f"there is no question {key}" + (f"; open are {open_}" if open_ else "")
                    )
                if found.answer is not None:
                    raise NotAnswered(_was_answered(found))
                _check(found, value)
                given: dict[str, Any] = {"value": value, "by": by, "via": "journal"}
                given |= {"at": time.time()} | ({"reason": reason} if reason else {})
                text = json.dumps(given, ensure_ascii=False, separators=(",", ":"))
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
