"""SARIF 2.1.0 (OASIS), which code scanning takes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import PurePath
from typing import Any
from urllib.parse import quote

from swarm_host.checking.finding import Finding
from swarm_host.version import __version__

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def told(script: str, findings: Sequence[Finding], definitions: dict[str, Any] | None) -> str:
    """One run with a result for each finding."""
    rules = [{"id": name} for name in sorted({one.id for one in findings})]
    driver = {"name": "swarm-host", "semanticVersion": __version__, "rules": rules}
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": [_result(one) for one in findings],
    }
    return json.dumps({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2)


def _result(one: Finding) -> dict[str, Any]:
    region = {
        "startLine": one.line,
        "startColumn": one.column,
        "endColumn": one.column + one.length,
    }
    artifact = {"uri": quote(PurePath(one.path).as_posix())}
    return {
        "ruleId": one.id,
        "level": one.severity,
        "message": {"text": "\n".join([one.message, *one.notes])},
        "locations": [{"physicalLocation": {"artifactLocation": artifact, "region": region}}],
    }
