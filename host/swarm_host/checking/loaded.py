"""What loading a script told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from swarm_host.checking.finding import Finding
from swarm_host.entries import titled
from swarm_host.errors import headline

UNKNOWN_LINE = 1
"""Where an error tells of no line."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What came of loading.

    :ivar definitions: what is defined (:meth:`swarm_host.host.Host.describe`); None: the script did
        not load.
    :ivar checked: what was loaded has to do with (:meth:`swarm_host.host.Host.checked`).
    :ivar error: what ended the loading.
    :ivar is_spec: the script is a spec file.
    """

    definitions: dict[str, Any] | None
    checked: dict[str, Any]
    error: dict[str, Any] | None = None
    is_spec: bool = False

    def named(self, what: str) -> frozenset[str] | None:
        """The names of the workers, the roles or the pools; None where they are not known."""
        if self.definitions is None:
            return None
        named = self.definitions["workers"] if what == "worker" else self.checked[f"{what}s"]
        return frozenset(named or ())

    def built_in(self, what: str) -> frozenset[str]:
        """The names that every script has."""
        return frozenset(self.checked["built_in"].get(what, ()))

    @property
    def globals(self) -> Sequence[str]:
        """The globals that are there once the script has loaded."""
        names: Sequence[str] = self.checked["globals"]
        return names

    @property
    def faces(self) -> dict[str, Sequence[str]]:
        """The names of ``swarm.``, ``swarm.fs.`` and the like."""
        faces: dict[str, Sequence[str]] = self.checked["faces"]
        return faces


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a definition.

    :ivar field: such as ``env.KEY``; empty: none.
    :ivar definition: the file and the line in which it begins.
    :ivar is_elsewhere: what the field has does not stand there: a name does, or a call.
    """

    finding: Finding
    field: str
    definition: tuple[str, int]
    is_elsewhere: bool


def faults(loaded: Loaded, script: str) -> list[Fault]:
    """What is wrong with definitions, each for itself."""
    found = []
    for fault in loaded.checked["faults"]:
        path, line = _place(fault.get("where"), script)
        column, (message, further) = int(fault.get("column") or 0), _lines(fault["message"])
        finding = Finding(path, line, column, "error", "definition", message,
                          notes=tuple(further), in_bytes=True)  # fmt: skip
        definition = _place(fault.get("definition"), script)
        found.append(Fault(finding, fault.get("field") or "", definition, fault["elsewhere"]))
    return found


def findings(loaded: Loaded, script: str) -> list[Finding]:
    """What loading found wrong besides: what ended it, hooks that match nothing."""
    found = []
    error = loaded.error
    if error is not None and not loaded.checked["gathered"]:
        found.append(_of_error(error, script))
    found += [
        Finding(*_place(where, script), 0, "warning", "unmatched-hook",
                "no worker matches this hook")
        for where in loaded.checked["idle"]
    ]  # fmt: skip
    return found


def is_syntax_error(error: dict[str, Any]) -> bool:
    """Whether LuaJIT could not compile a file: such an error comes without a traceback, and its
    message begins with the place."""
    where = error.get("where")
    return (
        error.get("code") == "load_error"
        and not error.get("traceback")
        and bool(where)
        and str(error["message"]).startswith(f"{where}: ")
    )


def _of_error(error: dict[str, Any], script: str) -> Finding:
    where = error.get("where")
    message, notes = _lines(headline(error).removeprefix(f"{where}: "))
    notes += str(error.get("traceback") or "").splitlines()
    cause = error.get("cause")
    if cause:
        named = titled(cause) if cause.get("name") else "an error"
        notes.append(f"because of {named}: {headline(cause)}")
    kind = "syntax-error" if is_syntax_error(error) else "load-error"
    place = _place(where, script)
    return Finding(*place, 0, "error", kind, message, notes=tuple(notes))


def _lines(message: str) -> tuple[str, list[str]]:
    first, *further = message.splitlines() or [""]
    return first, further


def _place(where: object, script: str) -> tuple[str, int]:
    path, _, line = str(where or "").rpartition(":")
    return (path, int(line)) if path and line.isdigit() else (script, UNKNOWN_LINE)
