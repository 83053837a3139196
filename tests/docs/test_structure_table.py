"""The tables that set our specs beside those of our peers name specs that exist, and enough."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import anyio
import pytest

from swarm_host import Host, Options

SPEC = Path(__file__).resolve().parents[2] / "spec"
CHAPTER = SPEC / "structure"
PAGES = (CHAPTER / "peers.md", CHAPTER / "supervision" / "supervision.md")
NAMED = re.compile(r"`([\w./]+): ([^`]+ > [^`]+)`")
AT_LEAST = 120
"""Specs that the tables name, each counted once."""
FURTHER = (
    "ownership",
    "a child",
    "a worker that is started",
    "a scope",
    "errors that come out",
    "a cancel",
    "a shield",
    "a deadline",
)
"""Groups of specs that were written by the lists of our peers."""


@cache
def specs_of(file: Path) -> frozenset[str]:
    """The full names of a file's specs, as they are collected; of no file, none."""

    if not file.is_file():
        return frozenset()

    async def listed() -> frozenset[str]:
        options = Options(spec=True, virtual_clock=True, lua_path=(str(SPEC / "lua"),))
        async with Host.load(file, options) as host:
            return frozenset(str(spec["name"]) for spec in host.specs())

    return anyio.run(listed)


def named_in(page: Path) -> set[tuple[Path, str]]:
    """The specs that a page names: each one's file, told from the page's folder, and name."""
    found = NAMED.findall(page.read_text())
    return {((page.parent / f"{file}_spec.lua").resolve(), spec) for file, spec in found}


def rows(text: str) -> list[tuple[str, str]]:
    """The rows of a page's tables: their test, and ours."""
    found = re.findall(r"^\| (.+?) \| (.*) \|$", text, re.MULTILINE)
    return [row for row in found if row[1] != "ours"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_each_spec_that_a_table_names_exists(page: Path) -> None:
    named = named_in(page)
    assert named
    assert [f"{file}: {spec}" for file, spec in named if spec not in specs_of(file)] == []


def test_the_tables_name_enough_specs() -> None:
    assert len({name for page in PAGES for name in named_in(page)}) >= AT_LEAST


def test_each_row_has_a_spec_or_says_why_not() -> None:
    assert [theirs for theirs, ours in rows(PAGES[0].read_text()) if not ours.strip()] == []


def test_the_summary_counts_what_the_tables_have() -> None:
    page = (CHAPTER / "structure.md").read_text()
    summary = re.findall(r"\| (\d+) \| (\d+) \| (\d+) \|$", page, re.MULTILINE)
    counted = []
    for section in PAGES[0].read_text().split("\n## ")[1:]:
        listed = [ours for _, ours in rows(section)]
        proved = sum(1 for ours in listed if NAMED.search(ours))
        if listed:
            counted.append((len(listed), proved, len(listed) - proved))
    assert [tuple(map(int, row)) for row in summary] == counted


def test_our_further_specs_are_in_the_tables() -> None:
    named = {spec for _, spec in named_in(PAGES[0])}
    specs = [spec for file in CHAPTER.glob("*_spec.lua") for spec in specs_of(file)]
    for group in FURTHER:
        ours = {spec for spec in specs if spec.startswith(f"{group} > ")}
        assert ours, group
        assert ours - named == set()
