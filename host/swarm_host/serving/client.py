"""A client of a run's socket, for short-lived programs: it imports little."""

from __future__ import annotations

import json
import socket
from typing import Any

MOST_FRAME = 16 * 1024 * 1024
"""Bytes of one message."""


class Refused(Exception):
    """The run refused what it was asked for.

    :param message: why.
    :param error: the error, as the run has it: ``code``, ``message`` and what belongs to the code.
    """

    def __init__(self, message: str, error: dict[str, Any]) -> None:
        super().__init__(message)
        self.error = error


class Gone(Exception):
    """The run ended in the middle of it."""


class Client:
    """Asks a run.

    :param connection: to its socket.
    :param token: what speaks for who asks; None: a person asks.
    """

    def __init__(self, connection: socket.socket, token: str | None = None) -> None:
        self._connection = connection
        self._token = {} if token is None else {"token": token}
        self._answers = connection.makefile("rb")

    def close(self) -> None:
        """Lets go of the connection."""
        self._answers.close()
        self._connection.close()

    def process(self) -> int:
        """The number of the run's process; 0: it cannot be told, as from another container."""
        from swarm_host.serving.peers import credentials

        return credentials(self._connection)[0]

    def ask(self, method: str, **params: Any) -> Any:
        """Asks for something, and waits for the answer.

        :raises Refused: it is refused, or failed, or is more than a message may have.
        :raises Gone: the run has ended.
        """
        asked = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {**self._token, **params}}
        message = _encoded(asked)
        if len(message) > MOST_FRAME:
            size = f"{len(message) / 2**20:.1f} MiB, and may have {MOST_FRAME >> 20}"
            why = f"a message to the run would have {size}: hand over a path instead"
            raise Refused(why, {"code": "invalid_argument", "message": why})
        try:
            self._connection.sendall(message + b"\n")
            line = self._answers.readline()
        except OSError as problem:
            raise Gone(f"the run has ended: {problem.strerror}") from None
        if not line.endswith(b"\n"):
            raise Gone("the run has ended")
        answer = json.loads(line)
        if "error" in answer:
            error = answer["error"]
            data = error.get("data") or {"code": "invalid_argument", "message": error["message"]}
            raise Refused(error["message"], data)
        return answer["result"]


def _encoded(message: dict[str, Any]) -> bytes:
    try:
        return json.dumps(message, ensure_ascii=False).encode()
    except UnicodeEncodeError:  # a word of the command line that is not UTF-8
        return json.dumps(message).encode()
