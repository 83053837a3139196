"""What is known of a run that is resumed: which of the tasks that are spawned were there before,
and how each ended."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter, deque
from collections.abc import Callable
from hashlib import blake2b, sha256
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from swarm_host.journal.contents import content_of
from swarm_host.journal.places import NoJournal, number_of
from swarm_host.journal.questions import questions
from swarm_host.journal.schema import INDEXES, LARGE, check
from swarm_host.journal.usage import add_usage

SHORT = 64
"""Characters of an input that are compared as they are; a longer one by its digest."""


_Index = dict[str, int | deque[int]]
"""What tasks are known by → the number of one, or those of several in their order."""

_END = "attempt, status, nth, reusable, value, used, session, at"


class Decision(NamedTuple):
    """What became of a task that was there before.

    :ivar label: what tells it from others of its name.
    :ivar why: why it runs again; None: it does not.
    """

    task: int
    name: str
    label: str | None
    why: str | None


class Resumed:
    """The tasks of a run as its journal has them.

    :param path: the journal.
    :param on_decision: called for each task that is spawned again.
    :param drop: a task (``T-7``) that runs again, with all below it and all that was spawned after
        it had ended; ``""``: none.
    :param again: what was in flight runs again, whatever its worker's ``on_resume`` says.
    :raises NoJournal: it is none, is damaged, or is of a newer version.
    """

    def __init__(
        self,
        path: Path,
        on_decision: Callable[[Decision], None] | None = None,
        *,
        drop: str = "",
        again: bool = False,
    ) -> None:
        self._path = path
        self._on_decision = on_decision
        self._again_anyway = again
        self._takes_sources = True
        self.counts: Counter[str] = Counter()
        uri = f"file:{quote(str(path))}?mode=rw"
        self._db = sqlite3.connect(
            uri, uri=True, isolation_level=None, check_same_thread=False, timeout=60
        )
        check(self._db, str(path), migrate=True)
        try:
            if self._one("PRAGMA quick_check(1)") != "ok":
                raise sqlite3.DatabaseError("its pages do not fit together")
            self._db.executescript(INDEXES)
            self.session = int(self._one("SELECT coalesce(max(n),0) FROM sessions")) + 1
            self.meta: dict[str, Any] = {
                key: json.loads(value) for key, value in self._db.execute("SELECT * FROM meta")
            }
            self.sources: dict[str, bytes] = dict(
                self._db.execute("SELECT path, content FROM sources")
            )
            if not self.meta:
                raise NoJournal(
                    f"{path} is empty: its run was killed as it began, and had done nothing yet; "
                    "start it anew"
                )
            self.run_id = str(self.meta["run_id"])
            self._drop = self._dropped(drop)
            self._index()
        except (sqlite3.Error, KeyError, TypeError, ValueError, RecursionError) as problem:
            said = str(problem) if isinstance(problem, sqlite3.Error) else repr(problem)
            raise NoJournal(f"{path} is damaged: {said}. It was left as it is") from None

    def _one(self, sql: str, *values: object) -> Any:
        row = self._db.execute(sql, values).fetchone()
        return None if row is None else row[0]

    def _dropped(self, task: str) -> frozenset[int]:
        """A task, those above and below it, and what was spawned after it had ended."""
        if not task:
            return frozenset()
        number = number_of(task)
        if self._one("SELECT id FROM tasks WHERE id=?", number) is None:
            raise NoJournal(
                f"there is no task {task} in this run; swarm-host show {self.run_id} has them"
            )
        rows = self._db.execute(
            "WITH RECURSIVE dropped(id) AS (SELECT id FROM tasks WHERE id=:task "
            "OR at >= (SELECT at FROM ends WHERE task=:task) "
            "UNION SELECT t.id FROM tasks t JOIN dropped d ON t.parent=d.id), "
            "above(id) AS (SELECT parent FROM tasks WHERE id=:task "
            "UNION SELECT t.parent FROM tasks t JOIN above a ON t.id=a.id) "
            "SELECT id FROM dropped UNION SELECT id FROM above",
            {"task": number},
        )
        return frozenset(number for (number,) in rows if number)

    def _index(self) -> None:
        """Notes who may be asked for, and whose end does not stand for all that it has begun."""
        # A function without a key → the nearest task above that is known.
        self._functions: dict[int, int] = {}
        self._known: _Index = {}
        self._below: _Index = {}  # of functions below a task
        self._leading: set[int] = set()  # tasks that spawned others
        self._taken: set[int] = set()
        self._open: set[int] = set()
        unsettled = self._db.execute(
            "SELECT t.parent FROM tasks t LEFT JOIN ends e ON e.task=t.id "
            "WHERE t.detached AND (e.task IS NULL OR e.status='cancelled')"
        ).fetchall()
        for (parent,) in unsettled:
            while parent and parent not in self._open:
                self._open.add(parent)
                parent = self._one("SELECT parent FROM tasks WHERE id=?", parent)
        rows = self._db.execute(
            # What was below a task that does not run again is not asked for.
            "SELECT t.id, t.parent, t.kind, t.name, t.key, t.input FROM tasks t "
            "LEFT JOIN ends e ON e.task=t.parent LEFT JOIN tasks p ON p.id=t.parent "
            "WHERE e.status IS NOT 'pass' OR NOT e.reusable OR (p.kind='function' AND p.key='') "
            # What swarm.retry has begun anew does run, where it did not come to its end.
            "OR t.at > coalesce((SELECT max(l.at) FROM lives l WHERE l.task=t.parent "
            "AND l.status='pass' AND l.reusable), e.at) "
            "OR p.parent=0 OR t.parent IN (SELECT value FROM json_each(?)) ORDER BY t.id",
            (json.dumps([*self._open, *self._drop]),),
        )
        scopes = self._functions
        for number, parent, kind, name, key, text in rows:
            scope = scopes.get(parent, parent)
            if kind == "function":
                name = ""
                if not key:
                    scopes[number] = scope
            _note(self._known, _known_by(parent, name, key, text), number)
            self._leading.add(parent)
            if scope != parent:
                _note(self._below, _known_by(scope, name, key, text), number)
        sql = "SELECT DISTINCT task FROM kept WHERE kind IN ('session', 'worktree', 'override')"
        self._keeping = {task for (task,) in self._db.execute(sql)}
        self._saying = {task for (task,) in self._db.execute("SELECT DISTINCT task FROM outputs")}

    def takes(self, sources: bool) -> None:
        """Says whether the run goes on with its recorded sources; else with others, which take
        their place."""
        self._takes_sources = sources
        if not sources:
            self.sources.clear()

    def prepare(self, connection: sqlite3.Connection) -> None:
        """Takes out of the journal what does not hold any more, as the run goes on."""
        dropped = json.dumps([*self._drop])
        for table in ("ends", "lives"):
            connection.execute(
                f"DELETE FROM {table} WHERE task IN (SELECT value FROM json_each(?))", (dropped,)
            )
        if not self._takes_sources:
            connection.execute("DELETE FROM sources")

    def state(self) -> dict[str, Any]:
        """What Lua begins with: the highest id (``last``), the order of what happened last, and the
        keys of questions that nobody has answered (``asked``), and what was decided of agents'
        tools for always (``approvals``)."""
        rows = self._db.execute("SELECT value FROM kept WHERE kind='always'")
        always = [json.loads(self._content(text)) for (text,) in rows]
        return {
            "approvals": sorted(always, key=lambda one: one["since"]),
            "asked": [
                question.key for question in questions(self._db, self._path) if question.is_open
            ],
            "last": int(self._one("SELECT coalesce(max(id),0) FROM tasks")),
            "order": int(
                self._one(
                    "SELECT max(coalesce((SELECT max(nth) FROM ends),0), "
                    "coalesce((SELECT max(nth) FROM lives),0), "
                    "coalesce((SELECT max(json_extract(value,'$.order')) FROM kept "
                    "WHERE kind='answer' AND json_valid(value)),0))"
                )
            ),
        }

    def find(self, parent: int, scope: int, name: str, key: str, text: str) -> bytes | None:
        """The task of before that is the same as one that is spawned, as JSON; None: there is none.

        :param parent: the task that spawns it.
        :param scope: the nearest above that is known by a name or a key; or, below zero, which life
            of the task ``parent`` is asked for.
        :param name: ``""`` of a function.
        """
        if scope < 0:
            found = self._life(parent, -scope)
            return None if found is None else json.dumps(found).encode()
        stored = self._stored(text)
        known_by = _known_by(parent, name, key, stored)
        number = self._first(self._known, known_by, last=not parent)
        if number is None and name and scope != parent:
            # Below a function that is not the same as before: it may have been below another.
            number = self._first(self._below, _known_by(scope, name, key, stored))
        if number is None:
            self.counts["new"] += 1
            return None
        self._taken.add(number)
        found = self._found(number)
        self.counts["reused" if found["again"] is None else "again"] += 1
        if self._on_decision is not None:
            self._on_decision(self._decision(number, found["again"]))
        return json.dumps(found).encode()

    def _decision(self, number: int, why: str | None) -> Decision:
        from swarm_host.journal.reading.readable import label_of, value_of

        name, key, label, text = self._db.execute(
            "SELECT name, key, label, input FROM tasks WHERE id=?", (number,)
        ).fetchone()
        read = "..." if text.startswith("@") else value_of(text)
        return Decision(number, name, label_of(label, key, lambda: read), why)

    def _first(self, index: _Index, known_by: str, *, last: bool = False) -> int | None:
        """The first that nobody has taken yet.

        :param last: the last instead: of main there is one for each time that it ran in one
            process, and the last is the run's.
        """
        waiting = index.get(known_by)
        if isinstance(waiting, int):
            return None if waiting in self._taken else waiting
        while waiting:
            number = waiting.pop() if last else waiting.popleft()
            if number not in self._taken:
                return number
        return None

    def _stored(self, text: str) -> str:
        if len(text) * 4 <= LARGE or len(content := text.encode()) <= LARGE:
            return text
        return "@" + sha256(content).hexdigest()

    def _life(self, number: int, life: int) -> dict[str, Any] | None:
        row = self._db.execute(
            f"SELECT {_END} FROM lives WHERE task=? AND life=?", (number, life)
        ).fetchone()
        if row is None or number in self._drop or row[1] != "pass" or not row[3]:
            return None
        return {"id": number, "in_flight": False, "again": None, **self._end(number, row)}

    def _found(self, number: int) -> dict[str, Any]:
        row = self._db.execute(f"SELECT {_END} FROM ends WHERE task=?", (number,)).fetchone()
        found: dict[str, Any] = {"id": number, "in_flight": False}
        found["leads"] = number in self._leading
        if self._again_anyway:
            found["decided"] = True
        if row is None:
            begun = self._one("SELECT at FROM begins WHERE task=?", number)
            found["again"] = "it had not begun" if begun is None else "it was in flight"
            found["in_flight"] = begun is not None and not self._again_anyway
        else:
            found["again"] = self._again(number, row[1], row[3])
            if found["again"] is not None and (
                self._was_mended(number, row[1]) or self._is_overridden(number)
            ):
                # swarm.retry followed, which passed, or a senior's word: the script comes to that
                # again.
                found["again"] = None
                error = self._one("SELECT error FROM ends WHERE task=?", number)
                found |= {"status": row[1], "error": json.loads(self._content(error))}
            if found["again"] is None:
                return found | self._end(number, row)
        used = self._used(number)
        if used:
            found["used"] = used
        interrupted = row is None or row[1] in ("cancelled", "pass") or not self._parent(number)
        found["kept"] = self._kept(number, everything=interrupted)
        return found

    def _was_mended(self, number: int, status: str) -> bool:
        """Whether a failure was followed by a life of the task that passed."""
        if status not in ("failed", "timeout") or number in self._drop:
            return False
        sql = "SELECT count(*) FROM lives WHERE task=? AND status='pass' AND reusable"
        return bool(self._one(sql, number))

    def _is_overridden(self, number: int) -> bool:
        """Whether a senior has put a result in the place of a task's, and that is a good one."""
        if number not in self._keeping or number in self._drop:
            return False
        text = self._one("SELECT value FROM kept WHERE task=? AND kind='override'", number)
        return text is not None and bool(json.loads(self._content(text))["ok"])

    def _end(self, number: int, row: tuple[Any, ...]) -> dict[str, Any]:
        """How a task has ended that does not run again."""
        attempt, _, nth, _, value, used, session, at = row
        outputs = (
            self._db.execute(
                "SELECT event FROM outputs WHERE task=? AND attempt=? AND session=? ORDER BY seq",
                (number, attempt, session),
            )
            if number in self._saying
            else ()
        )
        end = {"attempt": attempt, "order": float(nth), "at": float(at)}
        end["value"] = self._content(value)
        if value:
            json.loads(end["value"])  # or it is found out where nothing can be said of it
        if number in self._keeping:
            end["kept"] = self._kept(number, everything=True)
        end["outputs"] = [self._content(text) for (text,) in outputs]
        return end | ({"used": json.loads(used)} if used else {})

    def _parent(self, number: int) -> int:
        return int(self._one("SELECT parent FROM tasks WHERE id=?", number) or 0)

    def _kept(self, number: int, *, everything: bool) -> dict[str, dict[str, str]]:
        """What a task is given again: by kind, and by which of its kind it was, or by a key.

        :param everything: it was broken off; else it is tried anew, and only what it has recorded
            under a key stays.
        """
        kept: dict[str, dict[str, str]] = {}
        for kind, nth, key, text in self._db.execute(
            "SELECT kind, nth, key, value FROM kept WHERE task=?", (number,)
        ):
            if everything or key:
                kept.setdefault(kind, {})[key or str(nth)] = self._content(text)
        return kept

    def _again(self, number: int, status: str, reusable: int) -> str | None:
        if number in self._drop:
            return "it was asked for"
        if not self._parent(number) and (self._again_anyway or not self._takes_sources):
            return "it was asked for"
        if status != "pass":
            return {"failed": "it failed", "timeout": "it ran out of time"}.get(
                status, f"it was {status}"
            )
        if not reusable:
            return "its result came of something from outside of it, or is alive"
        if number in self._open:
            return "a detached worker of it had not ended"
        if number in self._functions:
            return "it was made from a function, and has no key"
        return None

    def _used(self, number: int) -> dict[str, float]:
        """What a task that runs again has used itself."""
        sums: dict[str, float] = {}
        for (text,) in self._db.execute(
            "SELECT event FROM outputs WHERE task=? AND type='usage'", (number,)
        ):
            add_usage(sums, json.loads(self._content(text)))
        return sums

    def _content(self, text: str) -> str:
        return content_of(self._path, text)

    def close(self) -> None:
        """Lets go of the file."""
        self._db.close()


def _known_by(parent: int, name: str, key: str, text: str) -> str:
    """What a task is known by: who spawned it, its name, and its key or its input."""
    if key:
        return f"{parent} {name}\0{key}"
    if len(text) > SHORT:
        text = blake2b(text.encode(), digest_size=16).hexdigest()
    return f"{parent} {name}\1{text}"


def _note(index: _Index, known_by: str, number: int) -> None:
    """Most are the only one of their kind, and a queue of one takes as much as ten of them."""
    before = index.setdefault(known_by, number)
    if isinstance(before, int):
        if before != number:
            index[known_by] = deque((before, number))
    else:
        before.append(number)
