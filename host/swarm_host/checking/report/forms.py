"""The forms in which findings are told. A new one is a file beside this one, and a line here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from swarm_host.checking.finding import Finding
from swarm_host.checking.report import as_json, github, sarif, text

Form = Callable[[str, Sequence[Finding], dict[str, Any] | None], str]
"""Takes the script, what was found, and what is defined (None: it did not load)."""

FORMS: dict[str, Form] = {
    "text": text.told,
    "json": as_json.told,
    "sarif": sarif.told,
    "github": github.told,
}
