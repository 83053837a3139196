"""Results that are used again, across runs: a file of this user's, and what each result came of."""

from __future__ import annotations

import json
import os
import sqlite3
import time
from hashlib import sha256
from pathlib import Path
from typing import Any

import anyio

from swarm_host.ports.contract import Answer, Call, Port, PortError
from swarm_host.ports.env import Env
from swarm_host.ports.files.port import READS, Files
from swarm_host.ports.noting import digest_of

VERSION = 1
KEPT_SECONDS = 30 * 86400.0
MOST_ENTRIES = 100_000

_TABLE = """
CREATE TABLE IF NOT EXISTS results(key TEXT PRIMARY KEY, entry TEXT, used REAL) WITHOUT ROWID;
"""


def place() -> Path:
    """Where results are kept."""
    state = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    return Path(state, "swarm-host", f"results-{VERSION}.sqlite").expanduser()


class Reuse:
    """Keeps results, and gives one back while what it came of is as it was."""

    def __init__(self) -> None:
        self._ports: dict[str, Port] = {"files": Files(), "env": Env()}

    async def __call__(self, payload: dict[str, Any], call: Call) -> Answer:
        """Answers a request.

        :param payload: ``op`` ``digest``: a digest of the data; ``get`` with ``key``: the entry of
            it and of the data, the worker's input, or nothing; ``put`` with ``key`` and ``entry``:
            ``reads``, the port and the payload of what was read → the digest of what it was, and
            whatever else belongs to the result.
        :param call: who asks.
        """
        data = call.data or b""
        if payload["op"] == "digest":
            return Answer(sha256(data).hexdigest())
        key = f"{payload['key']} {sha256(data).hexdigest()}"
        try:
            if payload["op"] == "put":
                await anyio.to_thread.run_sync(_put, key, json.dumps(payload["entry"]))
                return Answer()
            text = await anyio.to_thread.run_sync(_get, key)
        except (OSError, sqlite3.Error):
            return Answer()  # without the file nothing is used again
        try:
            entry = None if text is None else _checked(json.loads(text))
            if entry is None or not await self._is_as_it_was(entry["reads"]):
                return Answer()
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return Answer()  # somebody else has written it
        return Answer(entry)

    async def _is_as_it_was(self, reads: dict[str, str]) -> bool:
        for what, was in reads.items():
            name, _, text = what.partition(" ")
            payload = json.loads(text)
            if name != "env" and payload["op"] not in READS:
                return False  # nobody of ours has noted that
            try:
                answer: Answer | PortError = await self._ports[name](payload, Call(0))
            except PortError as problem:
                answer = problem
            if await digest_of(answer) != was:
                return False
        return True


def _checked(entry: Any) -> dict[str, Any]:
    """An entry as it is written, and nothing else.

    :raises TypeError: it is none.
    """
    for name, kind in (("reads", dict), ("workers", dict), ("outputs", list)):
        entry[name] = entry[name] or kind()  # Lua has one table for both
        if not isinstance(entry[name], kind):
            raise TypeError(name)
    if not isinstance(entry["value"], str) or not isinstance(entry["outside"], bool):
        raise TypeError("value")
    texts = [*entry["reads"].values(), *entry["workers"].values(), *entry["outputs"]]
    if not all(isinstance(text, str) for text in texts):
        raise TypeError("texts")
    known: dict[str, Any] = entry
    return known


def _open() -> sqlite3.Connection:
    path = place()
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not path.exists():
        os.close(os.open(path, os.O_CREAT | os.O_CLOEXEC, 0o600))
    connection = sqlite3.connect(path, isolation_level=None, timeout=10)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=normal")
    connection.execute(_TABLE)
    return connection


def _get(key: str) -> str | None:
    connection = _open()
    try:
        row = connection.execute("SELECT entry FROM results WHERE key=?", (key,)).fetchone()
        if row is not None:
            connection.execute("UPDATE results SET used=? WHERE key=?", (time.time(), key))
        return None if row is None else str(row[0])
    finally:
        connection.close()


def _put(key: str, entry: str) -> None:
    connection = _open()
    try:
        now = time.time()
        connection.execute("INSERT OR REPLACE INTO results VALUES(?,?,?)", (key, entry, now))
        if hash(key) % 100 == 0:  # now and then
            connection.execute("DELETE FROM results WHERE used<?", (now - KEPT_SECONDS,))
            connection.execute(
                "DELETE FROM results WHERE key NOT IN "
                "(SELECT key FROM results ORDER BY used DESC LIMIT ?)",
                (MOST_ENTRIES,),
            )
    finally:
        connection.close()
