"""Ways in which programs misbehave, and what comes of each."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

FORMATS = ("text", "json", "file", "lines", "ndjson", "sse", "frames")
TERMINALS = ("text", "lines", "ndjson")
LINGERS = ("ndjson", "sse", "frames")
SOURCES = ("none", "text", "file", "few", "endless", "failing", "says")

Came = dict[str, Any]

PASS: Came = {"status": "pass"}
CANCELLED: Came = {"status": "cancelled", "code": "cancelled"}
TIMEOUT: Came = {"status": "timeout", "code": "timeout"}
IDLE: Came = {"status": "failed", "code": "idle_timeout"}
FAILED: Came = {"status": "failed", "code": "process_failed"}


def exits(code: int) -> Came:
    return {**FAILED, "exit_code": code}


def dies(name: str) -> Came:
    return {**FAILED, "signal": name}


@dataclass(frozen=True)
class Ill:
    """A way to misbehave.

    :ivar shell: the program; ``$ITEM`` is what one would write that is well.
    :ivar alone: what comes of it where nobody ends it; empty: it does not end by itself.
    :ivar more: other fields of its definition.
    :ivar is_silent: it is, once it has begun.
    :ivar is_final: it says a final, and lives on.
    :ivar pty: it does the same with a terminal.
    """

    shell: str
    alone: tuple[Came, ...] = ()
    more: dict[str, Any] = field(default_factory=dict)
    is_silent: bool = False
    is_final: bool = False
    pty: bool = True


SAY = 'printf "$ITEM"; '
FOREVER = "exec sleep 600"

ILLS: dict[str, Ill] = {
    "is killed": Ill(SAY + "kill -KILL $$", (dies("SIGKILL"),)),
    "is ended": Ill(SAY + "kill -TERM $$", (dies("SIGTERM"),)),
    "crashes": Ill("ulimit -c 0; " + SAY + "kill -SEGV $$", (dies("SIGSEGV"),)),
    "fails": Ill(SAY + "exit 3", (exits(3),)),
    "stops itself": Ill(SAY + "kill -STOP $$", is_silent=True),
    "closes stdin": Ill("exec 0<&-; " + SAY + "sleep 0.02", (PASS,), pty=False),
    "does not read": Ill(SAY + FOREVER, is_silent=True, is_final=True),
    "floods stderr": Ill("yes err | head -c 400000 >&2; " + SAY, (PASS,), pty=False),
    "floods stderr for ever": Ill(SAY + "exec yes err >&2", is_final=True, pty=False),
    "closes stdout": Ill(SAY + "exec 1>&-; sleep 0.02; exit 3", (exits(3),), pty=False),
    "closes both": Ill(SAY + "exec 1>&- 2>&-; " + FOREVER, is_silent=True, is_final=True),
    "ignores SIGTERM": Ill(
        "trap '' TERM; " + SAY + "while :; do sleep 0.02; done", is_silent=True, is_final=True
    ),
    "says more when ended": Ill(
        "trap 'seq 1 20000 >&2; exit 5' TERM; " + SAY + "while :; do sleep 0.02; done",
        is_silent=True,
        is_final=True,
    ),
    "forks a daemon": Ill("(setsid sleep 600 &) ; " + SAY, (PASS,), pty=False),
    "forks a daemon without pipes": Ill(
        "(setsid sleep 600 <&- >&- 2>&- &) ; " + SAY, (PASS,), pty=False
    ),
    "daemons fork daemons": Ill(
        "(setsid sh -c '(setsid sleep 600 &) ; sleep 600' &) ; " + SAY + "exit 3",
        (exits(3),),
        pty=False,
    ),
    "its child holds the pipes": Ill("sleep 600 & " + SAY, (PASS,)),
    "its child ignores SIGTERM": Ill(
        "(trap '' TERM HUP; while :; do sleep 0.02; done) & " + SAY, (PASS,)
    ),
    "its child talks on": Ill(
        SAY + "(while :; do echo err >&2; done) & exit 0", (PASS,), pty=False
    ),
    "many children": Ill(
        "for i in 1 2 3 4 5 6 7 8; do (sleep 600 & sleep 600) & done; " + SAY + FOREVER,
        is_silent=True,
        is_final=True,
    ),
    "no descriptors": Ill(SAY, (FAILED, PASS), {"limits": {"files": 3}}),
    "no memory": Ill(SAY, (FAILED,), {"limits": {"memory": 4096}}),
    "no processor": Ill(
        SAY + "while :; do :; done",
        (dies("SIGKILL"), dies("SIGXCPU")),
        {"limits": {"cpu": 1}},
        is_silent=True,
        is_final=True,
    ),
    "no such program": Ill("", (FAILED,), {"command": ["/no/such/program"]}),
    "no program": Ill("", (FAILED,), {"command": ["/dev/null"]}),
    "writes nothing": Ill(FOREVER, is_silent=True),
    "writes much": Ill("head -c 200000 /dev/zero", (PASS,)),
    "reads all": Ill("cat >/dev/null; " + SAY, (PASS,), pty=False),
    "reads slowly": Ill(
        "for i in 1 2 3 4 5; do head -c 1000 >/dev/null; sleep 0.01; done; " + SAY,
        (PASS,),
        pty=False,
    ),
    "writes piece by piece": Ill(
        'printf "$ITEM" | dd bs=7 status=none',
        (PASS,),
    ),
}

READERS = ("reads all", "reads slowly")
"""They end by themselves where what they read does."""


@dataclass(frozen=True)
class Session:
    """A program that is held open.

    :ivar codes: what may come of its invocations; None: an answer.
    :ivar ends: each comes to its end without a timeout.
    """

    shell: str
    codes: tuple[str | None, ...]
    ends: bool = True


SESSIONS: dict[str, Session] = {
    "answers": Session("while read x; do echo $x; done", (None,)),
    "answers once": Session("read x; echo $x", (None, "process_failed")),
    "dies at once": Session("exit 3", ("process_failed",)),
    "dies before it answers": Session("read x; exit 3", ("process_failed",)),
    "is killed": Session("read x; kill -KILL $$", ("process_failed",)),
    "does not answer": Session("while read x; do :; done", (), ends=False),
    "does not read": Session(FOREVER, (), ends=False),
    "ignores its ends": Session(
        "trap '' TERM; while read x; do echo $x; done; while :; do sleep 0.02; done", (None,)
    ),
    "floods stderr": Session("while read x; do echo $x; seq 1 30000 >&2; done", (None,)),
    "speaks unasked": Session("echo 0; while read x; do echo $x; echo 9; done", (None,)),
    "floods": Session("yes 1", (None,)),
    "closes stdout": Session("read x; exec 1>&-; " + FOREVER, (), ends=False),
    "its child holds the pipes": Session("sleep 600 & read x; echo $x", (None, "process_failed")),
}
