"""For people, editors and everything that reads ``file:line:column: severity: message``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from swarm_host.checking.finding import Finding
from swarm_host.entries import printable
from swarm_host.view.source import excerpt


def told(script: str, findings: Sequence[Finding], definitions: dict[str, Any] | None) -> str:
    """A line for each finding, the line that it means with a caret, and how many there are; where
    there is no error, what the script defines."""
    lines: list[str] = []
    for one in findings:
        place = f"{one.path}:{one.line}"
        said = f"{place}:{one.column}: {one.severity}: {one.message} [{one.id}]"
        lines += [printable(said), *excerpt(place, one.message, one.column, one.length)]
        lines += [printable(note) for note in one.notes]
    lines.append(f"{script}: {_counted(findings)}")
    if definitions is None or any(one.severity == "error" for one in findings):
        return "\n".join(lines)
    return "\n".join([*lines, *_defined(definitions)])


def _counted(findings: Sequence[Finding]) -> str:
    errors = sum(one.severity == "error" for one in findings)
    counts = ((errors, "error"), (len(findings) - errors, "warning"))
    return ", ".join(f"{n} {word}{'s' * (n != 1)}" for n, word in counts if n) or "ok"


def _defined(definitions: dict[str, Any]) -> list[str]:
    workers, lines = definitions.get("workers") or {}, []
    for name in sorted(workers):
        worker = workers[name]
        about = f"  {worker['description']}" if worker.get("description") else ""
        lines.append(printable(f"  worker {name} ({worker['kind']}) at {worker['where']}{about}"))
    main = definitions.get("main")
    return [*lines, f"  main at {main}" if main else "  no main: it can be loaded, but not run"]
