"""All that is found in a script."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from swarm_host.checking import loaded as loading
from swarm_host.checking.finding import Finding
from swarm_host.checking.loaded import Loaded
from swarm_host.checking.program import Reading
from swarm_host.checking.rules.all import RULES
from swarm_host.checking.shared import told_once
from swarm_host.view.source import column_in
from swarm_host.vm.kernel import Kernel

FAULTS = ("definition", "load-error", "not-read", "syntax-error")
"""What no comment silences."""


def check(
    script: str, lua_path: Sequence[str], loaded: Loaded, *, reads: bool = True
) -> list[Finding]:
    """Reads a script and its own modules, and looks for all that the rules know.

    :param lua_path: further places where modules are looked for.
    :param loaded: what loading it told.
    :param reads: else only what loading told is found.
    :return: what is found, by place, without what comments silence.
    """
    found, faults = loading.findings(loaded, script), loading.faults(loaded, script)
    if not reads:
        return sorted(_placed(one) for one in (*found, *told_once(faults, None)))
    kernel = Kernel()
    reading = Reading(script, lua_path, loaded)
    program = reading.read()
    found += told_once(faults, program)
    sources = {source.path: source for source in program.sources}
    found += reading.findings
    told = {one.path for one in found if one.id == "syntax-error"}
    for source in program.own:
        problem = None if source.path in told else kernel.syntax_error(source.text, source.path)
        if problem is not None:
            line, _, message = problem.removeprefix(f"{source.path}:").partition(": ")
            row = int(line) if line.isdigit() else 1
            found.append(Finding(source.path, row, 0, "error", "syntax-error", message))
    for rule in RULES:
        found += rule(program, kernel)
    return sorted(
        _placed(one)
        for one in found
        if one.id in FAULTS or one.path not in sources or not sources[one.path].is_silenced(one)
    )


def _placed(finding: Finding) -> Finding:
    """With a column in characters, whatever was known of it."""
    if finding.column > 0 and not finding.in_bytes:
        return finding
    try:
        lines = Path(finding.path).read_bytes().split(b"\n", finding.line)
    except (OSError, ValueError):
        lines = []
    line = lines[finding.line - 1] if len(lines) >= finding.line else b""
    if finding.column > 0:
        column = len(line[: finding.column - 1].decode(errors="replace"))
    else:
        column = column_in(line.decode(errors="replace"), finding.message)
    return replace(finding, column=column + 1, in_bytes=False)
