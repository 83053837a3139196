"""``swarm-host worker``: what the program of a worker says to its run. It imports little: a program
may call it for every line."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from swarm_host.serving.client import Client, Gone, Refused

USAGE = """\
Usage: swarm-host worker prompt [--json]
       swarm-host worker emit STAGE [NOTE]
       swarm-host worker artifact NAME [FILE|-] [--json]
       swarm-host worker result [JSON|@FILE|-] [--blocked REASON]
       swarm-host worker heartbeat
       swarm-host worker detach

What the program of a worker says to its run. It needs SWARM_TOKEN and SWARM_SOCKET: give the worker
env = { SWARM_TOKEN = "{token}" }. Elsewhere they are a token, and what swarm.token.socket() says.

  prompt     print the prompt; with --json all that is known of the task
  emit       say how far it is
  artifact   hand over a file, or standard input, of 12 MiB at most; its text is the value, and
             where it is JSON (--json) what that says
  result     the result, in place of what the program prints: JSON, a file's with @FILE, or - for
             that of standard input; --blocked REASON: it cannot go on
  heartbeat  a sign of life of a session (swarm.attach), with its token
  detach     end the session; what was started in it is waited for
"""

MOST_BYTES = 12 * 1024 * 1024
"""Bytes of a file that can be handed over."""


class _Misused(Exception):
    """The words make no sense; the text says why."""


class _Unfit(Exception):
    """What is to be handed over cannot be; the text says why."""


def main(words: Sequence[str]) -> int:
    """Does what the words after ``swarm-host worker`` say, and returns the exit status."""
    words = list(words)
    if words[:1] in (["-h"], ["help"]) or "--help" in words[:2]:
        sys.stdout.write(USAGE)
        return 0
    try:
        name, *rest = words or [""]
        if name not in _COMMANDS:
            known = ", ".join(_COMMANDS)
            raise _Misused(f"swarm-host worker has no command {name!r}; it has {known}")
        return _COMMANDS[name](rest)
    except _Misused as misused:
        sys.stderr.write(f"{USAGE.partition(chr(10) * 2)[0]}\nerror: {misused}\n")
        return 2
    except _Unfit as problem:
        sys.stderr.write(f"error: {problem}\n")
        return 2
    except (Refused, Gone, OSError) as problem:
        code = f" ({problem.error['code']})" if isinstance(problem, Refused) else ""
        sys.stderr.write(f"error: {problem}{code}\n")
        return 1


def _ask(method: str, **params: Any) -> Any:
    token, path = os.environ.get("SWARM_TOKEN"), os.environ.get("SWARM_SOCKET")
    if not token or not path:
        missing = "SWARM_TOKEN" if not token else "SWARM_SOCKET"
        _fail(
            f"{missing} is not set: this is for the program of a worker that has a token, "
            'env = { SWARM_TOKEN = "{token}" }; swarm.token.socket() is the path of its socket'
        )
    import socket

    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.connect(path)
    except OSError as problem:
        _fail(f"the run cannot be spoken to: {problem.strerror}")
    return Client(connection, token).ask(method, **params)


def _fail(message: str) -> NoReturn:
    raise Gone(message)


def _prompt(words: list[str]) -> int:
    as_json = words == ["--json"]
    if words and not as_json:
        raise _Misused("prompt takes nothing but --json")
    found = _ask("fetch_prompt")
    sys.stdout.write(json.dumps(found) + "\n" if as_json else found.get("prompt") or "")
    return 0


def _emit(words: list[str]) -> int:
    if not 1 <= len(words) <= 2:
        raise _Misused("emit takes a stage and, if you like, a note")
    event = {"type": "progress", "stage": words[0], **({"note": words[1]} if words[1:] else {})}
    _ask("emit_output", event=event)
    return 0


def _artifact(words: list[str]) -> int:
    as_json = "--json" in words
    words = [word for word in words if word != "--json"]
    if not 1 <= len(words) <= 2:
        raise _Misused("artifact takes a name and, if you like, a file")
    data = _read(words[1] if words[1:] else "-")
    try:
        value = _parsed(data, "the artifact") if as_json else data.decode()
    except UnicodeDecodeError:
        raise _Unfit("the artifact is not UTF-8: hand over its path, as a text") from None
    _ask("emit_output", event={"type": "artifact", "name": words[0], "value": value})
    return 0


def _result(words: list[str]) -> int:
    blocked = None
    if "--blocked" in words:
        at = words.index("--blocked")
        if not "".join(words[at + 1 : at + 2]).strip():
            raise _Misused("--blocked takes a reason")
        blocked = words[at + 1]
        words = words[:at] + words[at + 2 :]
    if len(words) > 1:
        raise _Misused("result takes one JSON value, @FILE, or - for standard input")
    word, value = words[0] if words else "-", None
    if word.startswith("@"):
        value = _parsed(_read(word[1:]), word[1:])
    elif word != "-":
        value = _parsed(os.fsencode(word), "the result")
    elif words or blocked is None:
        value = _parsed(_read("-"), "the result")
    _ask("post_result", value=value, **({} if blocked is None else {"blocked": blocked}))
    return 0


def _heartbeat(words: list[str]) -> int:
    return _of_session(words, "heartbeat", "heartbeat")


def _detach(words: list[str]) -> int:
    return _of_session(words, "detach", "detach_session")


def _of_session(words: list[str], name: str, method: str) -> int:
    if words:
        raise _Misused(f"{name} takes nothing")
    _ask(method)
    return 0


def _read(name: str) -> bytes:
    what = "standard input" if name == "-" else name
    try:
        source = sys.stdin.buffer if name == "-" else open(name, "rb")  # noqa: PTH123, SIM115 - quick
        with source:
            data = source.read(MOST_BYTES + 1)
    except (OSError, ValueError) as problem:
        reason = getattr(problem, "strerror", None) or str(problem)
        raise _Unfit(f"{what} cannot be read: {reason.lower()}") from None
    if len(data) > MOST_BYTES:
        most = MOST_BYTES >> 20
        raise _Unfit(f"{what} has more than {most} MiB, which is the most: hand over its path")
    return data


def _parsed(data: bytes, what: str) -> Any:
    try:
        return json.loads(data)
    except ValueError as problem:
        how = "a text stands in quotes, and a file is @FILE"
        raise _Unfit(f"{what} is no JSON: {problem}; {how}") from None


_COMMANDS: dict[str, Callable[[list[str]], int]] = {
    "prompt": _prompt,
    "emit": _emit,
    "artifact": _artifact,
    "result": _result,
    "heartbeat": _heartbeat,
    "detach": _detach,
}
