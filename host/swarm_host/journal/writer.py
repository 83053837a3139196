"""The thread that writes a journal: batches of rows, each committed as one."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Literal

from swarm_host.journal.places import files_of
from swarm_host.journal.pruning import keep_bounds
from swarm_host.journal.schema import LARGE, create

Sync = Literal["full", "normal"]

Rows = tuple[bytes, bytes, bytes, bytes, bytes, bytes, bytes]
"""What Lua has gathered (``lua/swarm/journal/records.lua``): rows of tasks, begins, ends, lives,
attempts, outputs and kept."""

Step = Callable[[sqlite3.Connection], object]
"""Something else that is written."""

_SQL = (
    "INSERT OR REPLACE INTO tasks VALUES(?,?,?,?,?,?,?,?,?,{session})",
    "INSERT OR REPLACE INTO begins VALUES(?,?)",
    "INSERT OR REPLACE INTO ends VALUES(?,?,?,?,?,?,?,?,?,?,{session})",
    "INSERT OR REPLACE INTO lives VALUES(?,?,?,?,?,?,?,?,?,?,?,{session})",
    "INSERT INTO attempts VALUES(?1,?2,?3,iif(?4='',(SELECT at FROM begins WHERE task=?1),?4),"
    "?5,?6,{session})",
    "INSERT INTO outputs VALUES(?,?,?,?,?,?,{session})",
    "INSERT OR REPLACE INTO kept VALUES(?,?,?,?,?)",
)
_BEGINS, _ATTEMPTS = 1, 4
_ORDER = (0, _ATTEMPTS, _BEGINS, 2, 3, 5, 6)
"""When an attempt began is read before the beginning of the next takes its place."""
CHECKPOINT_PAGES = 4000
PRUNING_SECONDS = 2.0
"""How long the end of a run waits until what is too old is removed."""


class Writer:
    """Writes one journal.

    :param path: its file.
    :param sync: ``full``: a commit is on the disk; ``normal``: it is the system's, and may be lost
        where power is.
    :param session: the number of the process that works on the run.
    :param fresh: the file is new.
    :param on_done: called in the writer's thread with the number of each batch that is committed,
        or with the problem, after which nothing is written any more.
    """

    def __init__(
        self,
        path: Path,
        sync: Sync,
        session: int,
        *,
        fresh: bool,
        on_done: Callable[[int, Exception | None], None],
    ) -> None:
        self._path = path
        self._sync = sync
        self._fresh = fresh
        self._on_done = on_done
        self._sql = [sql.format(session=session) for sql in _SQL]
        self._session = session
        self._pruning: threading.Thread | None = None
        self._queue: SimpleQueue[tuple[int, Rows | None, Step | None] | None] = SimpleQueue()
        self._number = 0
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    def put(self, rows: Rows | None, step: Step | None = None) -> int:
        """Has rows written, and then something else; returns the batch's number, from 1."""
        self._number += 1
        self._queue.put((self._number, rows, step))
        return self._number

    def close(self, seconds: float | None = None) -> None:
        """Ends the thread once all is written, and waits for it, for so many seconds at most."""
        self._queue.put(None)
        self._thread.join(seconds)
        if self._pruning is not None:
            self._pruning.join(PRUNING_SECONDS)

    def _run(self) -> None:
        number = 0
        try:
            connection = self._open()
            try:
                while True:
                    batches = [self._queue.get()]
                    while batches[-1] is not None and not self._queue.empty():
                        batches.append(self._queue.get())
                    connection.execute("BEGIN IMMEDIATE")
                    for batch in batches:
                        if batch is not None:
                            number, rows, step = batch
                            if rows is not None:
                                self._write(connection, rows)
                            if step is not None:
                                step(connection)
                    connection.execute("COMMIT")
                    self._on_done(number, None)
                    if self._fresh:
                        self._fresh = False
                        # In a thread of its own: what is old may be much.
                        self._pruning = threading.Thread(
                            target=keep_bounds, args=(self._path,), daemon=True
                        )
                        self._pruning.start()
                    if batches[-1] is None:
                        return
            finally:
                connection.close()
        except Exception as problem:  # whatever it is, who waits for a batch is told
            self._on_done(number, problem)

    def _open(self) -> sqlite3.Connection:
        if self._fresh:
            # Its name is the user's own: nobody else reads what a run has said.
            os.close(os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        connection = sqlite3.connect(self._path, isolation_level=None, timeout=60)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute(f"PRAGMA synchronous={self._sync}")
        connection.execute(f"PRAGMA wal_autocheckpoint={CHECKPOINT_PAGES}")
        if self._fresh:
            create(connection)
        return connection

    def _write(self, connection: sqlite3.Connection, rows: Rows) -> None:
        for nth in _ORDER:
            sql, text = self._sql[nth], rows[nth]
            if not text:
                continue
            lines = text.decode().split("\n")
            lines.pop()
            fields: list[Any] = [line.split("\x1f") for line in lines]
            if len(text) > LARGE:
                for line, row in zip(lines, fields, strict=True):
                    if len(line) > LARGE:
                        row[:] = map(self._small, row)
            if nth == _BEGINS:
                # What is begun from its start, and not anew by swarm.retry, has no end of before.
                begun = [(row[0], self._session) for row in fields if row.pop() == "0"]
                for table in ("ends", "lives") if self._session > 1 else ():
                    gone = f"DELETE FROM {table} WHERE task=? AND session<?"
                    connection.executemany(gone, begun)
            connection.executemany(sql, fields)

    def _small(self, field: str) -> str:
        """What stands for a field in the journal."""
        content = field.encode()
        if len(content) <= LARGE:
            return field
        digest = hashlib.sha256(content).hexdigest()
        place = files_of(self._path)
        place.mkdir(mode=0o700, exist_ok=True)
        path = place / digest
        if not path.exists():
            new = path.with_suffix(".new")
            with open(new, "wb", opener=_private) as file:
                file.write(content)
                if self._sync == "full":
                    file.flush()
                    os.fsync(file.fileno())
            new.replace(path)
        return f"@{digest}"


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC, 0o600)
