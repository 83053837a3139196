"""The tables that set our specs beside those of our peers name specs that exist, and enough."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import anyio
import pytest

from swarm_host import Host, Options

SPEC = Path(__file__).resolve().parents[2] / "spec"
PAGES = ("structure_peers.md", "supervision.md")
NAMED = re.compile(r"`(\w+): ([^`]+ > [^`]+)`")
AT_LEAST = 120
"""Specs that the tables name, each counted once."""


@cache
def specs_of(file: str) -> frozenset[str]:
    """The full names of a file's specs, as they are collected."""

    async def listed() -> frozenset[str]:
        options = Options(spec=True, virtual_clock=True)
        async with Host.load(SPEC / f"{file}_spec.lua", options) as host:
            return frozenset(str(spec["name"]) for spec in host.specs())

    return anyio.run(listed)


def text_of(page: str) -> str:
    return (SPEC / page).read_text()


def rows(text: str) -> list[tuple[str, str]]:
    """The rows of a page's tables: their test, and ours."""
    found = re.findall(r"^\| (.+?) \| (.*) \|$", text, re.MULTILINE)
    return [row for row in found if row[1] != "ours"]


@pytest.mark.parametrize("page", PAGES)
def test_each_spec_that_a_table_names_exists(page: str) -> None:
    named = NAMED.findall(text_of(page))
    assert named or page != PAGES[0]
    assert [f"{file}: {spec}" for file, spec in named if spec not in specs_of(file)] == []


def test_the_tables_name_enough_specs() -> None:
    named = {
        name for page in PAGES if (SPEC / page).exists() for name in NAMED.findall(text_of(page))
    }
    assert len(named) >= AT_LEAST


def test_each_row_has_a_spec_or_says_why_not() -> None:
    assert [theirs for theirs, ours in rows(text_of(PAGES[0])) if not ours.strip()] == []


def test_the_summary_counts_what_the_tables_have() -> None:
    summary = re.findall(r"\| (\d+) \| (\d+) \| (\d+) \|$", text_of("structure.md"), re.MULTILINE)
    counted = []
    for section in text_of(PAGES[0]).split("\n## ")[1:]:
        listed = [ours for _, ours in rows(section)]
        proved = sum(1 for ours in listed if NAMED.search(ours))
        if listed:
            counted.append((len(listed), proved, len(listed) - proved))
    assert [tuple(map(int, row)) for row in summary] == counted


def test_our_further_specs_are_in_the_tables() -> None:
    named = set(NAMED.findall(text_of(PAGES[0])))
    for file in ("cancellation", "nurseries"):
        assert {spec for spec in specs_of(file) if (file, spec) not in named} == set()
