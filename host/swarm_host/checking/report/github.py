"""Workflow commands of GitHub Actions, which show a finding at its line of a pull request."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from swarm_host.checking.finding import Finding


def told(script: str, findings: Sequence[Finding], definitions: dict[str, Any] | None) -> str:
    """A command for each finding; nothing where there is none."""
    return "\n".join(_command(one) for one in findings)


def _command(one: Finding) -> str:
    place = f"file={_property(one.path)},line={one.line},col={one.column}"
    place += f",endColumn={one.column + one.length},title={_property(one.id)}"
    return f"::{one.severity} {place}::{_data(one.message)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
