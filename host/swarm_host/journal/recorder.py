"""The journal of a run that goes on: what the pump hands over is written down before anything
outside is done that follows from it."""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import anyio
from anyio.lowlevel import checkpoint

from swarm_host.backlog import Backlog
from swarm_host.errors import SwarmError, words_of
from swarm_host.journal.places import SUFFIX, Lock, NoJournal, folder

if TYPE_CHECKING:
    import sqlite3

    from swarm_host.journal.resumed import Resumed
    from swarm_host.journal.writer import Rows, Step, Sync, Writer

HELD_SECONDS = 0.25
"""For how long what a run does inside itself alone is not written down yet."""
HELD_BYTES = 4 << 20


class JournalError(SwarmError):
    """The journal cannot be written any more: the run is over."""


class Recorder:
    """The journal of one run.

    Nothing is on disk until there is something to lose: something outside is begun, or time goes
    by.

    :param run_id: the run's.
    :param path: where; None: in the folder of this user's runs, if that can be.
    :param sync: see :class:`~swarm_host.journal.writer.Writer`.
    :param resumed: what is known of the run from before.
    :param lock: held already, where it is resumed.
    :ivar status: how the run has ended, for who asks later.
    :ivar on_warning: called with a text where no journal can be kept that nobody asked for: the run
        goes on without.
    :raises NoJournal: there is a file at the path already.
    """

    def __init__(
        self,
        run_id: str | None = None,
        path: Path | None = None,
        sync: Sync = "normal",
        *,
        resumed: Resumed | None = None,
        lock: Lock | None = None,
    ) -> None:
        self.run_id = run_id or os.urandom(6).hex()
        self.path = path or folder() / (self.run_id + SUFFIX)
        if resumed is None and self.path.exists():
            raise NoJournal(
                f"{self.path} is there already: a journal is of one run; name another file, or go "
                f"on with its run: swarm-host resume {self.path}"
            )
        self.resumed = resumed
        self.status = "cancelled"
        self._is_asked_for = path is not None
        self._is_off = False
        self.on_warning: Callable[[str], object] = logging.getLogger("swarm_host").warning
        self._sync: Sync = sync
        self._lock = lock
        self._session = 1 if resumed is None else resumed.session
        known = {} if resumed is None else resumed.meta
        self._seed = known.get("seed", int.from_bytes(os.urandom(6)))
        self._meta: dict[str, Any] = {"run_id": self.run_id, "seed": self._seed}
        self._writer: Writer | None = None
        self._held: list[tuple[Rows | None, Step | None]] = []
        self._held_bytes = 0
        self._held_since = 0.0
        self._backlog = Backlog()
        self._is_told = False
        self._generations: set[int] = set()
        self._sources: dict[str, bytes] = {}  # by their paths

    @property
    def name(self) -> str:
        """What the command line knows the run by: its id, or the journal's path where that lies
        elsewhere."""
        return self.run_id if self.path == folder() / (self.run_id + SUFFIX) else str(self.path)

    def told(self) -> list[str]:
        """What there is to say at the end of a run that was resumed."""
        counts = None if self.resumed is None else self.resumed.counts
        if not counts or not counts["reused"]:
            return []
        if counts.total() == 1:
            return ["the run had passed before: this is what it came to"]
        return [
            f"{counts['reused']} of {counts.total()} tasks had passed before and did not run again"
        ]

    @property
    def is_on_disk(self) -> bool:
        """Whether there is a file."""
        return self._writer is not None

    @property
    def holds(self) -> bool:
        """Whether there is something that would be lost."""
        return self._writer is None and self._held_bytes > 0

    def for_lua(self) -> dict[str, Any]:
        """What Lua is told (:meth:`swarm_host.options.Options.for_lua`)."""
        config: dict[str, Any] = {"journal": True, "journal_seed": self._seed}
        if self.resumed is not None:
            config["resumed"] = self.resumed.state()
        return config

    def find(
        self, parent: int, scope: int, name: bytes, key: bytes, input_text: bytes
    ) -> bytes | None:
        """What is known from before of a task that is spawned, as JSON."""
        if self.resumed is None:
            return None
        try:
            return self.resumed.find(
                int(parent), int(scope), name.decode(), key.decode(), input_text.decode()
            )
        except Exception as problem:  # Lua cannot be given it: it ends the run at the next commit
            self._backlog.problem = self._backlog.problem or problem
            return None

    def describe(self, meta: Mapping[str, Any]) -> None:
        """Says what the run is: ``script``, ``args``, ``input``, ``cwd`` and the like."""
        self._meta.update(meta)

    def describe_given(self, script: str, given: Mapping[str, Any]) -> None:
        """Says what a new run was given, where the command line has not said what was wished."""
        if self.resumed is None and "wish" not in self._meta:
            self.describe({"given": {**given, "script": str(Path(script).absolute())}})

    def note_generation(self, number: int) -> None:
        """A generation of the script has taken over: when, and what it was read from, by the first
        digits of its SHA-256."""
        if number not in self._generations:
            self._generations.add(number)
            key = f"generation {self._session}.{number}"
            at, sources = time.time(), dict(self._sources)
            self._take(None, lambda c: _set_meta(c, {key: _generation(at, sources)}))

    def keep_source(self, path: str, content: bytes) -> None:
        """Keeps what a script or a module of the run consists of."""
        self._sources[path] = content
        row = path, content
        self._take(None, lambda c: c.execute("INSERT OR REPLACE INTO sources VALUES(?,?)", row))

    def keep_rows(self, *rows: bytes) -> None:
        """Keeps rows of Lua's (:data:`swarm_host.journal.writer.Rows`)."""
        if self._is_off:
            return
        if not self._held_since:
            self._held_since = time.monotonic()
        self._held_bytes += sum(map(len, rows))
        self._take(cast("Rows", rows), None)
        late = time.monotonic() - self._held_since > HELD_SECONDS
        known = self.resumed is not None  # there is a file that says something else
        if self._writer is None and (self._held_bytes > HELD_BYTES or late or known):
            self._open()

    def _take(self, rows: Rows | None, step: Step | None) -> None:
        if self._is_off:
            return
        if self._writer is None:
            self._held.append((rows, step))
        elif self._backlog.problem is None:
            number = self._writer.put(rows, step)
            self._backlog.put(number, 0 if rows is None else sum(map(len, rows)))

    def rest(self) -> None:
        """Nobody has anything to do for a while: what there is is written down."""
        if self.holds:
            self._open()

    async def durable(self) -> None:
        """Waits until all that was kept so far is committed.

        :raises JournalError: it cannot be.
        """
        self.rest()
        await self._reach()

    async def keep_pace(self) -> None:
        """Waits where the disk is far behind.

        :raises JournalError: nothing can be written any more.
        """
        if self._backlog.holds_up:
            await self._reach()

    async def _reach(self) -> None:
        await self._backlog.written()
        if self._backlog.problem is not None:
            self._is_told = True
            raise JournalError(self._error(self._backlog.problem))

    def _unkept(self, problem: Exception) -> str:
        return (
            f"no journal can be kept at {self.path}: {_words(problem)}. This run cannot be resumed "
            "(--no-journal says that this is meant, --journal FILE names another place)"
        )

    def _error(self, problem: Exception) -> dict[str, Any]:
        if not isinstance(problem, OSError | NoJournal | _sqlite_error()):
            message = f"the journal {self.path} is damaged: {problem!r}. It was left as it is"
            return {"code": "journal_error", "message": message}
        message = f"the journal {self.path} cannot be written: {_words(problem)}. "
        if self._writer is None:
            message += "Nothing was done; --no-journal runs without one"
        else:
            message += (
                "The run has ended, so that nothing is done that it does not know of; with room "
                f"again: swarm-host resume {self.name}"
            )
        return {"code": "journal_error", "message": message}

    def _open(self) -> None:
        """Begins to write. What is wrong with the place is said as with the disk."""
        from swarm_host.journal.writer import Writer  # costs start-up, and short runs need none

        self._backlog.begin()
        try:
            if self._lock is None:
                self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                self._lock = Lock(self.path)
        except (OSError, NoJournal) as problem:
            self._held.clear()
            self._held_bytes = 0
            if self._is_asked_for:
                self._backlog.problem = problem
            else:
                self._is_off = True
                self.on_warning(self._unkept(problem))
            return
        self._writer = Writer(
            self.path,
            self._sync,
            self._session,
            fresh=self.resumed is None,
            on_done=self._backlog.reached,
        )
        meta = {key: json.dumps(value) for key, value in self._meta.items()}
        began = time.time()

        def begin(connection: sqlite3.Connection) -> None:
            _set_meta(connection, meta)
            if self.resumed is not None:
                self.resumed.prepare(connection)
            connection.execute(
                "INSERT INTO sessions VALUES(?,?,?,NULL,NULL)", (self._session, os.getpid(), began)
            )

        held, self._held = self._held, []
        self._take(None, begin)
        for rows, step in held:
            self._take(rows, step)

    def end_now(self, seconds: float) -> None:
        """The process is about to end: writes what there is, within so many seconds."""
        if self._writer is not None:
            self._take_end()
            self._writer.close(seconds)

    def _take_end(self) -> None:
        how, ended = self.status, time.time()

        def end(connection: sqlite3.Connection) -> None:
            _set_meta(connection, {"status": json.dumps(how)})
            connection.execute(
                "UPDATE sessions SET ended=?, how=? WHERE n=?", (ended, how, self._session)
            )

        self._take(None, end)

    async def aclose(self) -> None:
        """The process works on the run no longer.

        :raises JournalError: not all of it could be written, and nobody was told yet.
        """
        writer = self._writer
        if writer is not None:
            if self._backlog.problem is None:
                self._take_end()
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(writer.close)
                await checkpoint()  # what the writer has said last is heard
        if self._lock is not None:
            self._lock.close()
            self._lock = None
        if self.resumed is not None:
            self.resumed.close()
        if self._backlog.problem is not None and not self._is_told:
            raise JournalError(self._error(self._backlog.problem))


def _generation(at: float, sources: Mapping[str, bytes]) -> str:
    from hashlib import sha256  # costs start-up, and short runs need none

    digests = {path: sha256(content).hexdigest()[:16] for path, content in sources.items()}
    return json.dumps({"at": at, "sources": digests})


def _sqlite_error() -> type[Exception]:
    import sqlite3

    return sqlite3.Error


def _words(problem: Exception) -> str:
    return words_of(problem) if isinstance(problem, OSError) else str(problem)


def _set_meta(connection: sqlite3.Connection, meta: Mapping[str, str]) -> None:
    connection.executemany("INSERT OR REPLACE INTO meta VALUES(?,?)", list(meta.items()))
