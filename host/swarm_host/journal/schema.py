"""The tables of a journal, and which versions of them can be read.

Every text that holds a value of a script's is JSON as ``lua/swarm/values/exact.lua`` writes it;
``''`` is absent. A text of more than :data:`LARGE` bytes lies in a file of its own beside the
journal, and ``@`` and its SHA-256 stand in its place.
"""

from __future__ import annotations

import sqlite3

from swarm_host.journal.places import NoJournal

VERSION = 1
APPLICATION = 0x5357524D  # "SWRM": PRAGMA application_id, by which ``file`` knows it
LARGE = 65536

TABLES = """
CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
-- One for each process that has worked on the run: the first, and each that resumed it.
CREATE TABLE sessions(n INTEGER PRIMARY KEY, pid INTEGER, began REAL, ended REAL, how TEXT);
CREATE TABLE sources(path TEXT PRIMARY KEY, content BLOB) WITHOUT ROWID;
-- parent: the task that spawned it, 0 for none. kind: of its definition, or 'function' of what has
-- none; name: of its definition, or where its function stands.
CREATE TABLE tasks(id INTEGER PRIMARY KEY, parent INTEGER, kind TEXT, name TEXT, key TEXT,
  detached INTEGER, input TEXT, label TEXT, at REAL, session INTEGER);
-- Attempts that have begun; where a task has settled at once its end says when.
CREATE TABLE begins(task INTEGER PRIMARY KEY, at REAL);
CREATE TABLE ends(task INTEGER PRIMARY KEY, attempt INTEGER, status TEXT, began REAL, at REAL,
  nth INTEGER, reusable INTEGER, value TEXT, error TEXT, used TEXT, session INTEGER);
-- How a task ended that swarm.retry had begun anew, from life 1 on: the last is how it is.
CREATE TABLE lives(life INTEGER, task INTEGER, attempt INTEGER, status TEXT, began REAL, at REAL,
  nth INTEGER, reusable INTEGER, value TEXT, error TEXT, used TEXT, session INTEGER,
  PRIMARY KEY(task, life)) WITHOUT ROWID;
-- Attempts that another one has followed.
CREATE TABLE attempts(task INTEGER, attempt INTEGER, status TEXT, began REAL, at REAL, error TEXT,
  session INTEGER);
CREATE TABLE outputs(task INTEGER, attempt INTEGER, seq INTEGER, at REAL, type TEXT, event TEXT,
  session INTEGER);
CREATE TABLE kept(task INTEGER, kind TEXT, nth INTEGER, key TEXT, value TEXT,
  PRIMARY KEY(task, kind, nth, key)) WITHOUT ROWID;
"""

# Made when somebody looks, and not before: each costs every row that is written.
INDEXES = """
CREATE INDEX IF NOT EXISTS tasks_parent ON tasks(parent);
CREATE INDEX IF NOT EXISTS outputs_task ON outputs(task);
CREATE INDEX IF NOT EXISTS attempts_task ON attempts(task);
"""


def create(connection: sqlite3.Connection) -> None:
    """Makes the tables of a new file."""
    connection.executescript(
        f"PRAGMA application_id={APPLICATION}; PRAGMA user_version={VERSION};"
        f"BEGIN; {TABLES} COMMIT;"
    )


_MIGRATIONS: dict[int, str] = {}
"""What makes version n + 1 out of version n."""


_PRIMARY = 0xFF
"""The bits of SQLite's error codes that say what kind of error it is."""
_OF_THE_CONTENT = (sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def is_damage(problem: sqlite3.Error) -> bool:
    """Whether what is in a journal is at fault, and not the disk, or who else has it."""
    return getattr(problem, "sqlite_errorcode", 0) & _PRIMARY in _OF_THE_CONTENT


def check(connection: sqlite3.Connection, name: str, *, migrate: bool) -> None:
    """Sees that a file is a journal that this version reads.

    :param name: what messages call it.
    :param migrate: an older one is brought up to date.
    :raises NoJournal: it is none, is damaged, is of a newer version, or cannot be opened.
    """
    try:
        application = connection.execute("PRAGMA application_id").fetchone()[0]
        version = connection.execute("PRAGMA user_version").fetchone()[0]
    except sqlite3.DatabaseError as problem:
        if not is_damage(problem):
            raise NoJournal(f"{name} cannot be opened: {problem}") from None
        raise NoJournal(f"{name} is damaged: {problem}. It was left as it is") from None
    if application != APPLICATION:
        raise NoJournal(f"{name} is no journal of swarm-host")
    odd = connection.execute(
        "SELECT type, name FROM sqlite_master WHERE type NOT IN ('table', 'index')"
    ).fetchone()
    if odd is not None:
        raise NoJournal(f"{name} is damaged: somebody has put a {odd[0]} {odd[1]!r} into it")
    if version > VERSION:
        raise NoJournal(
            f"{name} was written by a newer swarm-host (version {version} of its format; this one "
            f"reads up to {VERSION}): use that one"
        )
    while version < VERSION and migrate:
        if version not in _MIGRATIONS:
            raise NoJournal(f"{name} is damaged: its format is said to be version {version}")
        connection.executescript(
            f"BEGIN; {_MIGRATIONS[version]} PRAGMA user_version={version + 1}; COMMIT;"
        )
        version += 1
