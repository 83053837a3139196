"""One JSON object, for programs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from swarm_host.checking.finding import Finding


def told(script: str, findings: Sequence[Finding], definitions: dict[str, Any] | None) -> str:
    """``findings``, and what is defined, ``workers`` and ``main``, where the script loads."""
    listed = [_fields(one) for one in findings]
    whole = {**(definitions or {}), "findings": listed}
    return json.dumps(whole, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def _fields(one: Finding) -> dict[str, Any]:
    fields = {
        "column": one.column,
        "id": one.id,
        "length": one.length,
        "line": one.line,
        "message": one.message,
        "path": one.path,
        "severity": one.severity,
    }
    return {**fields, "notes": one.notes} if one.notes else fields
