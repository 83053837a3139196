"""What ``swarm-host rerun`` takes out of a run."""

from __future__ import annotations

import sqlite3
from typing import NamedTuple

from swarm_host.journal.places import NoJournal, number_of


class Dropped(NamedTuple):
    """Tasks that run again.

    :ivar all: the task that was named, those above and below it, and what was spawned after it had
        ended.
    :ivar whole: of these, those that run as if they never had: without those above. What they were
        answered, and what a senior has said of them, is forgotten.
    """

    all: frozenset[int] = frozenset()
    whole: frozenset[int] = frozenset()

    def prepare(self, connection: sqlite3.Connection) -> None:
        """Takes them out of a journal, as the run goes on."""
        connection.execute("CREATE TEMP TABLE dropped(id INTEGER PRIMARY KEY, whole INTEGER)")
        connection.executemany(
            "INSERT INTO dropped VALUES(?,?)", [(one, one in self.whole) for one in self.all]
        )
        for table in ("ends", "lives"):
            connection.execute(f"DELETE FROM {table} WHERE task IN (SELECT id FROM dropped)")
        connection.execute(
            f"DELETE FROM kept WHERE kind IN {FORGOTTEN} "
            "AND task IN (SELECT id FROM dropped WHERE whole)"
        )
        connection.execute("DROP TABLE dropped")


FORGOTTEN = ("question", "answer", "approval", "override")
"""Kinds of what is kept that a task has once, if it does not run as if it never had."""


def dropped(connection: sqlite3.Connection, task: str, run_id: str) -> Dropped:
    """Finds them.

    :param task: such as ``T-7``; ``""``: none.
    :raises NoJournal: there is no such task.
    """
    if not task:
        return Dropped()
    number = number_of(task)
    if connection.execute("SELECT id FROM tasks WHERE id=?", (number,)).fetchone() is None:
        raise NoJournal(f"there is no task {task} in this run; swarm-host show {run_id} has them")
    rows = connection.execute(
        "WITH RECURSIVE dropped(id) AS (SELECT id FROM tasks WHERE id=:task "
        "OR at >= (SELECT at FROM ends WHERE task=:task) "
        "UNION SELECT t.id FROM tasks t JOIN dropped d ON t.parent=d.id), "
        "above(id) AS (SELECT parent FROM tasks WHERE id=:task "
        "UNION SELECT t.parent FROM tasks t JOIN above a ON t.id=a.id) "
        "SELECT id, 1 FROM dropped UNION ALL SELECT id, 0 FROM above",
        {"task": number},
    ).fetchall()
    whole = frozenset(one for one, below in rows if one and below)
    return Dropped(frozenset(one for one, _ in rows if one), whole)
