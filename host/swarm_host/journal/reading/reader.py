"""Reads the journal of a run that has ended or goes on, and changes nothing in it.

Where nobody has resumed the run there are no indexes to read by (``schema.INDEXES``), so what is
asked for is asked in few passes over whole tables: each is 0.1 s for a million tasks.
"""

from __future__ import annotations

import sqlite3
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from swarm_host.journal.places import NoJournal, is_live, number_of
from swarm_host.journal.reading.file import File
from swarm_host.journal.reading.readable import HIDDEN, field_of, label_of
from swarm_host.journal.reading.rows import Attempt, End, Known, Output, Run, Task
from swarm_host.journal.usage import add_usage

if TYPE_CHECKING:
    from swarm_host.journal.questions import Question

_MOST_PARAMETERS = 500
_MOST_LABELLED = 1 << 20
"""Bytes of an input in a file of its own that is read for what it is in short."""


# What a person has spawned has a request for parent, which is no task of the run.
_PARENT = "LEFT JOIN tasks p ON p.id=t.parent"
_ENDS = f"{_PARENT} LEFT JOIN begins b ON b.task=t.id LEFT JOIN ends e ON e.task=t.id"
_END = "e.attempt, e.status, e.began, e.at, e.session"
_TASKS = (
    f"SELECT t.id, p.id, b.at, {_END}, e.value, e.error, e.used, t.kind, t.name, t.key, "
    f"t.detached, t.input, t.label, t.at FROM tasks t {_ENDS}"
)
_KNOWN = f"SELECT t.id, p.id, b.at, {_END}, t.name FROM tasks t {_ENDS}"


class Reader:
    """Reads one journal. Use it as a context manager.

    :param path: the journal.
    :raises NoJournal: it is none, is damaged, or is of another version; so do all methods.
    :ivar live: whether somebody works on the run.
    """

    def __init__(self, path: Path) -> None:
        self._file = File(path)
        try:
            self.path, self.live = path, self._file.live
            rows = self._file.rows
            self._meta = {key: self._file.value(text) for key, text in rows("SELECT * FROM meta")}
            self._sessions = list(rows("SELECT n, began, ended, how FROM sessions ORDER BY n"))
            if not self._sessions:
                raise self._file.nothing()
            self._in_flight = self.live or self._sessions[-1][2] is None
            self._begun_status = "running" if self.live else "interrupted"
            self._version = -1
            self._lives = {number: End(*end) for number, *end in self._last_lives()}
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def value(self, text: str) -> Any:
        """The value of a text of the journal, as JSON can say it; None for none."""
        return self._file.value(text)

    def _last_lives(self) -> Iterator[tuple[Any, ...]]:
        """How tasks have ended that swarm.retry had begun anew."""
        rows = self._file.rows(
            "SELECT l.task, l.attempt, l.status, l.began, l.at, l.session, l.value, l.error, "
            "l.used, max(l.life) FROM lives l JOIN ends e ON e.task=l.task AND l.at>=e.at "
            "GROUP BY l.task"
        )
        return (row[:-1] for row in rows)

    # The run. --------------------------------------------------------------------------------

    @property
    def run_id(self) -> str:
        """The run's id."""
        return str(self._meta.get("run_id"))

    @property
    def process(self) -> int:
        """The process that worked on the run last, by its number."""
        return int(self._file.one("SELECT pid FROM sessions ORDER BY n DESC LIMIT 1"))

    def run(self) -> Run:
        """What there is to know of the run."""
        wish = self._meta.get("wish") or {}
        first = self._file.one("SELECT at FROM tasks ORDER BY id LIMIT 1")
        _, began, ended, how = self._sessions[-1]
        status = "running" if self.live else "interrupted" if ended is None else str(how)
        over = None if self.live else self._last() if ended is None else ended
        # The file is made when there is something to lose: the run may be older.
        earliest = min(self._sessions[0][1], first or began)
        if len(self._sessions) == 1:
            began = earliest
        seconds = sum(end - start for _, start, end, _ in self._sessions[:-1] if end is not None)
        seconds += (time.time() if over is None else over) - began
        return Run(
            run_id=self.run_id,
            script=str(wish.get("script", "")),
            cwd=str(self._meta.get("cwd", "")),
            began=earliest,
            ended=over,
            seconds=max(0.0, seconds),
            status=status,
            counts=self._counts(),
        )

    def _last(self) -> float:
        """When something was done last."""
        tables = ("tasks", "begins", "ends", "outputs")
        last = [self._file.one(f"SELECT max(at) FROM {table}") for table in tables]
        return float(max(self._sessions[-1][1], *(at for at in last if at is not None)))

    def _counts(self) -> dict[str, int]:
        file = self._file
        counts: Counter[str] = Counter()
        tasks = file.one("SELECT count(*) FROM tasks")
        counts["pass"] = file.one("SELECT count(*) FROM ends WHERE status='pass'")
        sql = "SELECT status, count(*) FROM ends WHERE status<>'pass' GROUP BY status"
        counts.update(dict(file.rows(sql)))
        begun = 0
        if tasks > counts.total():
            begun = file.one(
                "SELECT count(*) FROM begins b WHERE NOT EXISTS "
                "(SELECT 1 FROM ends e WHERE e.task=b.task)"
            )
        counts["pending"] += tasks - counts.total() - begun
        counts[self._begun_status] += begun
        # Those that swarm.retry has begun anew, and those that wait for answers.
        for known in self.known([*self._lives, *self._anew(), *self._waiting]):
            counts[file.one("SELECT status FROM ends WHERE task=?", [known.id])] -= 1
            counts[known.status] += 1
        return {name: many for name, many in counts.items() if many}

    def _anew(self) -> list[int]:
        """Tasks that have ended and are in flight again."""
        if not self._in_flight:
            return []
        sql = "SELECT b.task FROM begins b JOIN ends e ON e.task=b.task WHERE b.at>e.at"
        return [number for (number,) in self._file.rows(sql) if number not in self._lives]

    def used(self, task: int | None = None) -> dict[str, float]:
        """What the run has used, or one task without those below it: sums of the amounts of usage
        events."""
        sums: dict[str, float] = {}
        of = "" if task is None else f" AND task={task:d}"
        for (text,) in self._file.rows(f"SELECT event FROM outputs WHERE type='usage'{of}"):
            add_usage(sums, self.value(text))
        return sums

    # Tasks. ----------------------------------------------------------------------------------

    @cached_property
    def _tried(self) -> dict[int, int]:
        """How many attempts of a task have been followed by another."""
        return dict(self._file.rows("SELECT task, max(attempt) FROM attempts GROUP BY task"))

    @cached_property
    def _waiting(self) -> set[int]:
        """Where the run has ended because only answers can move it: the tasks that wait for one,
        and all above them."""
        found: set[int] = set()
        if not self.live and self._sessions[-1][3] == "waiting":
            level = {one.task for one in self._open()}
            while level:
                found |= level
                sql = f"SELECT t.id, p.id FROM tasks t {_PARENT} WHERE t.id"
                level = {parent for _, parent in self._among(sql, level) if parent} - found
        sql = "SELECT task FROM ends WHERE status='cancelled' AND task"
        return {number for (number,) in self._among(sql, found)}

    def _now(self, number: int, begun: float | None, end: End) -> tuple[str, End]:
        """How a task is: its status, and how it has ended."""
        end = self._lives.get(number, end)
        anew = self._in_flight and end.at is not None and (begun or 0.0) > end.at
        if end.status == "cancelled" and number in self._waiting:
            return "waiting", end
        if end.status is not None and not anew:
            return end.status, end
        unended = End(attempt=max(end.attempt or 0, self._tried.get(number, 0)) + 1)
        return "pending" if begun is None else self._begun_status, unended

    def _task(self, row: tuple[Any, ...]) -> Task:
        number, parent, begun = row[:3]
        kind, name, key, detached, text, label, spawned = row[11:]
        status, end = self._now(number, begun, End(*row[3:11]))
        return Task(
            id=number,
            parent=parent or 0,
            kind=kind,
            name=field_of(name),
            label=label_of(label, key, lambda: self._brief(text)),
            status=status,
            attempt=end.attempt or 1,
            spawned=spawned,
            began=end.began or begun,
            ended=end.at,
            error=self.value(end.error or ""),
            used=self.value(end.used or "") or {},
            detached=bool(detached),
            hidden=label == HIDDEN,
            input=text,
            value=end.value or "",
        )

    def _brief(self, text: str) -> Any:
        """An input, for what it is in short."""
        if text.startswith("@"):
            path = self._file.content_path(text)
            if not path.exists() or path.stat().st_size > _MOST_LABELLED:
                return "..."
        return self.value(text)

    def tasks(self, ids: Iterable[int] | None = None) -> Iterator[Task]:
        """Tasks, in the order of their ids: all, or those of these that are there."""
        if ids is None:
            rows = self._file.rows(f"{_TASKS} ORDER BY t.id")
        else:
            rows = self._among(f"{_TASKS} WHERE t.id", ids)
        return map(self._task, rows)

    def known(self, ids: Iterable[int]) -> Iterator[Known]:
        """The least that there is to know of those of these that are there, in their order."""
        for number, parent, begun, *end, name in self._among(f"{_KNOWN} WHERE t.id", ids):
            status, _ = self._now(number, begun, End(*end))
            yield Known(number, parent or 0, field_of(name), status)

    def _among(self, sql: str, ids: Iterable[int]) -> Iterator[tuple[Any, ...]]:
        """Rows of a query that ends with the column of a task's id."""
        some = sorted(set(ids))
        for place in range(0, len(some), _MOST_PARAMETERS):
            part = some[place : place + _MOST_PARAMETERS]
            yield from self._file.rows(f"{sql} IN ({','.join('?' * len(part))}) ORDER BY 1", part)

    def task(self, name: str) -> Task:
        """A task by its name, such as ``T-7``.

        :raises NoJournal: there is none.
        """
        number = number_of(name)
        found = next(self.tasks([number]), None)
        if found is None:
            what = "is no task" if number < 0 else "is none of its tasks"
            raise NoJournal(f"{name} {what}: `swarm-host show {self.run_id} --all` lists them")
        return found

    def _ids(self, sql: str, *values: object) -> list[int]:
        return [number for (number,) in self._file.rows(sql, values)]

    def around(self, above: int, many: int) -> set[int]:
        """So many tasks after one (0: of all), and as many of the last, and of its children."""
        first = self._ids("SELECT id FROM tasks WHERE id>? ORDER BY id LIMIT ?", above, many)
        if len(first) < many:
            return set(first)
        last = "SELECT id FROM tasks WHERE id>? ORDER BY id DESC LIMIT ?"
        below = "SELECT id FROM tasks WHERE id>? AND parent=? ORDER BY id LIMIT ?"
        return {
            *first,
            *self._ids(last, above, many),
            *self._ids(below, above, above, many),
        }

    def ended(self, statuses: Sequence[str], many: int) -> set[int]:
        """So many tasks that have ended in one of these ways; and all that were begun anew."""
        marks = ",".join("?" * len(statuses))
        sql = f"SELECT task FROM ends WHERE status IN ({marks}) ORDER BY task LIMIT ?"
        return {*self._ids(sql, *statuses, many), *self._lives, *self._anew()}

    def unended(self, many: int) -> set[int]:
        """So many tasks that have not ended: of those that have begun, and of the others."""
        begun = "b.task FROM begins b LEFT JOIN ends e ON e.task=b.task"
        born = "t.id FROM tasks t LEFT JOIN ends e ON e.task=t.id"
        found: set[int] = set()
        for tables in (begun, born):
            sql = f"SELECT {tables} WHERE e.task IS NULL ORDER BY 1 LIMIT ?"
            found.update(self._ids(sql, many))
        return found

    def parents(self) -> Iterator[tuple[int, int]]:
        """Each task's id and its parent's (0: it has none), the newest first."""
        sql = f"SELECT t.id, p.id FROM tasks t {_PARENT} ORDER BY t.id DESC"
        return ((number, parent or 0) for number, parent in self._file.rows(sql))

    def children(self, ids: Iterable[int]) -> dict[int, int]:
        """How many children those of these have that have any."""
        sql = (
            "SELECT parent, count(*) FROM tasks WHERE parent IN (SELECT value FROM json_each(?)) "
            "GROUP BY parent"
        )
        return dict(self._file.rows(sql, [str(sorted(ids))]))

    def open_questions(self) -> list[dict[str, Any]]:
        """The questions that nobody has answered, the oldest first, each as
        :meth:`swarm_host.host.Host.pending` has it, as far as the journal knows."""
        found = self._open()
        tasks = {task.id: task for task in self.tasks({one.task for one in found})}
        rows = []
        for one in sorted(found, key=lambda one: one.since):
            task = tasks[one.task]
            known = {"key": one.key, "since": one.since, "task_id": task.task_id}
            known |= {"name": task.name} | ({"label": task.label} if task.label else {})
            rows.append({**one.about, **known})
        return rows

    def _open(self) -> list[Question]:
        from swarm_host.journal.questions import questions

        try:
            return [one for one in questions(self._file.connection, self.path) if one.is_open]
        except sqlite3.Error as problem:
            raise self._file.unreadable(problem) from None

    def waits(self) -> bool:
        """Whether the run has ended because only answers can move it, and some are not there."""
        return self.run().status == "waiting" and bool(self.open_questions())

    # What they said. -------------------------------------------------------------------------

    def attempts(self, task: Task | None = None) -> Iterator[Attempt]:
        """Attempts that another one has followed, of all tasks or of one, in the tasks' order."""
        where = "" if task is None else f"WHERE task={task.id:d} "
        for number, attempt, status, began, ended, error in self._file.rows(
            f"SELECT task, attempt, status, began, at, error FROM attempts {where}"
            "ORDER BY task, session, attempt"
        ):
            yield Attempt(number, attempt, status, began or None, ended, self.value(error))

    def outputs(self, since: int = 0, task: Task | None = None) -> Iterator[Output]:
        """Events of tails in the order in which they were written.

        :param since: the row (an :class:`Output`) after which they begin.
        :param task: those of its last attempt, and of all further ones.
        """
        where: list[object] = [since]
        sql = "SELECT rowid, task, attempt, event FROM outputs WHERE rowid>?"
        if task is not None:
            session = self._file.one("SELECT max(session) FROM outputs WHERE task=?", [task.id])
            sql += " AND task=? AND attempt>=? AND session=?"
            where += [task.id, task.attempt, session or 0]
        for row, number, attempt, event in self._file.rows(f"{sql} ORDER BY rowid", where):
            yield Output(row, number, attempt, self.value(event))

    def overridden(self, task: Task) -> dict[str, Any] | None:
        """What a senior has put in the place of a task's result; None: nobody has."""
        text = self._file.one("SELECT value FROM kept WHERE task=? AND kind='override'", [task.id])
        return None if text is None else dict(self.value(text))

    def ended_since(self, nth: int) -> list[tuple[int, int]]:
        """Tasks that have ended, in the order in which they did.

        :param nth: which of all the ends is the last that is known; below zero: so many of the last
            ends.
        :return: of each the number of its end, and its id.
        """
        ends = "SELECT nth, task FROM ends UNION ALL SELECT nth, task FROM lives"
        if nth < 0:
            return [*self._file.rows(f"{ends} ORDER BY 1 DESC LIMIT ?", [-nth])][::-1]
        both = ends.replace(" UNION", f" WHERE nth>{nth:d} UNION") + f" WHERE nth>{nth:d}"
        return [*self._file.rows(f"{both} ORDER BY 1")]

    def last_row(self) -> int:
        """The row of the last event of a tail; 0: there is none."""
        return int(self._file.one("SELECT max(rowid) FROM outputs") or 0)

    def has_changed(self) -> bool:
        """Whether anything was written since the last time that this was asked; the first time
        there was. What is read afterwards has it."""
        version, self._version = self._version, self._file.one("PRAGMA data_version")
        if version != self._version:
            self._lives = {number: End(*end) for number, *end in self._last_lives()}
            self.__dict__.pop("_tried", None)
        return version != self._version

    def goes_on(self) -> bool:
        """Whether somebody works on the run now."""
        return is_live(self.path)
