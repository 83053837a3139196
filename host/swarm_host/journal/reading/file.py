"""The file of a journal, opened to be read and left as it is."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from swarm_host.errors import words_of
from swarm_host.journal.contents import content_of
from swarm_host.journal.places import NoJournal, files_of, is_live
from swarm_host.journal.reading.readable import value_of
from swarm_host.journal.schema import VERSION, check

_PRIMARY = 0xFF
"""The bits of SQLite's error codes that say what kind of error it is."""
_OF_THE_CONTENT = (sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


class File:
    """One journal.

    :param path: where it is.
    :raises NoJournal: it is none, is damaged, or is of another version; so do all methods.
    :ivar live: whether somebody works on the run.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.live = is_live(path)
        self._db = self._connect()
        try:
            if not self.one("SELECT count(*) FROM sqlite_master"):
                raise self.nothing()
            version = self.one("PRAGMA user_version")
            check(self._db, str(path), migrate=False)
            if version < VERSION:
                raise NoJournal(
                    f"{path} was written by an older swarm-host: use that one, or go on with the "
                    "run, which brings the journal up to date (swarm-host resume)"
                )
        except BaseException:
            self.close()
            raise

    def _connect(self) -> sqlite3.Connection:
        path = self.path
        try:
            with path.open("rb") as file:
                is_empty = not file.read(1)
        except OSError as problem:
            raise NoJournal(f"{path} cannot be read: {words_of(problem)}") from None
        if is_empty:
            raise self.nothing()
        # What a writer has left beside the file is read with it, and for that SQLite needs a file
        # more. Where there is nothing, none is made: the folder may be somebody else's.
        log = path.with_name(path.name + "-wal")
        try:
            waits = log.stat().st_size > 0
        except OSError:
            waits = False
        whole = not self.live and not waits
        uri = f"file:{quote(str(path.absolute()))}?mode=ro" + ("&immutable=1" if whole else "")
        try:
            return sqlite3.connect(uri, uri=True, isolation_level=None, timeout=10)
        except sqlite3.Error as problem:
            raise self.unreadable(problem) from None

    def close(self) -> None:
        """Lets go of it."""
        self._db.close()

    def rows(self, sql: str, values: Sequence[object] = ()) -> Iterator[tuple[Any, ...]]:
        """The rows of a query."""
        try:
            # Who drops the rest may do so after the file is closed, when the cursor cannot be.
            for row in self._db.execute(sql, values):  # noqa: UP028 - it would close the cursor
                yield row
        except sqlite3.Error as problem:
            raise self.unreadable(problem) from None

    @property
    def connection(self) -> sqlite3.Connection:
        """What it is read by."""
        return self._db

    def one(self, sql: str, values: Sequence[object] = ()) -> Any:
        """The first field of a query's first row; None: there is none."""
        row = next(self.rows(sql, values), None)
        return None if row is None else row[0]

    def content(self, text: str) -> str:
        """The whole of a text, which may lie in a file of its own."""
        return content_of(self.path, text)

    def content_path(self, text: str) -> Path:
        """Where a large text lies."""
        return files_of(self.path) / Path(text[1:]).name

    def value(self, text: str) -> Any:
        """The value of a text, as JSON can say it; None for none."""
        try:
            return value_of(self.content(text))
        except (ValueError, TypeError, AttributeError, LookupError):
            raise self._damaged(f"{text[:40]!r} is no value") from None

    def nothing(self) -> NoJournal:
        """What there is to say where nothing is written in it."""
        why = "has just begun" if self.live else "was killed as it began; remove it"
        return NoJournal(f"{self.path} is empty: its run {why}")

    def _damaged(self, problem: object) -> NoJournal:
        return NoJournal(f"{self.path} is damaged: {problem}. It was left as it is")

    def unreadable(self, problem: sqlite3.Error) -> NoJournal:
        """Why it cannot be read."""
        if getattr(problem, "sqlite_errorcode", 0) & _PRIMARY in _OF_THE_CONTENT:
            return self._damaged(problem)
        return NoJournal(
            f"{self.path} cannot be read: {problem}. Where its folder cannot be written to, copy "
            "the journal with all that is beside it"
        )
