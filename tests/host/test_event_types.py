"""The types of the run's events: those that are published, listed and documented are the same."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LISTED = set(
    re.findall(r"^  (\w+) = true,", (ROOT / "lua/swarm/events/types.lua").read_text(), re.MULTILINE)
)
TYPED = (ROOT / "lua/types/objects.lua").read_text().partition("---@alias swarm.RunEvent\n")[2]
STATUSES = ("pass", "blocked", "failed", "cancelled", "timeout")


def test_what_is_published_is_listed() -> None:
    published: set[str] = set()
    for path in (ROOT / "lua").rglob("*.lua"):
        for name, joined in re.findall(r'publish\w*\(\s*"(\w+)"( \.\.)?', path.read_text()):
            published |= {name + status for status in STATUSES} if joined else {name}
    assert published == LISTED


def test_types_have_all() -> None:
    assert set(re.findall(r'^---\| "(\w+)"', TYPED.partition("\n\n")[0], re.MULTILINE)) == LISTED


def test_the_page_has_all() -> None:
    page = (ROOT / "spec/host/cli.md").read_text().partition("## Events")[2]
    assert {name for name in LISTED if f"`{name}`" in page} == LISTED
