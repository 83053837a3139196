"""``spec/``: a folder for each chapter, a page in it, its specs beside the page, none too long.

Above them stands the reference, which is made (``tests/reference.py``).
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SPEC = ROOT / "spec"
MOST_LINES = 600
REFERENCE = SPEC / "reference.md"  # of all chapters; the one page that is of none
BESIDE = {"lua", "pictures"}  # folders of what the specs of a chapter share, and of what it shows
LINK = re.compile(r"\]\(([^)\s#]*)(?:#([^)\s]*))?\)")
CODE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
NAMED = re.compile(r"`(?:\.\./)*((?:\w+/)*\w+(?:_spec\.lua|\.py)|(?:\w\w+/)+\w+\.lua)`")
PEERS = re.compile(r"^\| (anyio|trio), .*", re.MULTILINE)  # their test files, not ours
PAGES = sorted(SPEC.rglob("*.md"))
SPECS = sorted(SPEC.rglob("*_spec.lua"))


def folders() -> list[Path]:
    """The folders of chapters: every one below ``spec/`` that is not of shared words."""
    found = [path for path in SPEC.rglob("*") if path.is_dir() and path.name != "__pycache__"]
    return [path for path in found if BESIDE.isdisjoint(path.relative_to(SPEC).parts)]


def links(page: Path) -> list[Path]:
    """What a page links to in this repository."""
    return [path for path, _ in places(page)]


def places(page: Path) -> list[tuple[Path, str]]:
    """The same, each with the heading in it, or ""."""
    found = LINK.findall(CODE.sub("", page.read_text()))
    return [
        ((page.parent / to).resolve() if to else page, heading)
        for to, heading in found
        if not to.startswith("http")
    ]


def headings(page: Path) -> set[str]:
    """The headings of a page, as links name them."""
    found = re.findall(r"^#+ (.+)$", CODE.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in found}


def files() -> list[str]:
    """The project's files that pages may name."""
    tops = ("host", "lua", "scripts", "spec", "tests")
    return [f"/{path.relative_to(ROOT)}" for top in tops for path in (ROOT / top).rglob("*.*")]


def test_no_spec_file_is_too_long() -> None:
    long = {path.name: path.read_text().count("\n") for path in SPECS}
    assert {name: lines for name, lines in long.items() if lines > MOST_LINES} == {}


def test_every_folder_has_a_page() -> None:
    assert folders()
    assert [path for path in folders() if not list(path.glob("*.md"))] == []


def test_every_spec_and_page_lies_in_a_folder_of_a_chapter() -> None:
    assert REFERENCE in PAGES
    assert {path.parent for path in [*PAGES, *SPECS] if path != REFERENCE} == set(folders())


def test_every_page_is_linked_from_the_readme() -> None:
    assert set(PAGES) - set(links(ROOT / "README.md")) == set()


@pytest.mark.parametrize(
    "page", [ROOT / "README.md", *PAGES], ids=lambda page: str(page.relative_to(ROOT))
)
def test_the_links_of_a_page_lead_somewhere(page: Path) -> None:
    found = places(page)
    assert [path for path, _ in found if not path.exists()] == []
    assert [
        (path.name, title) for path, title in found if title and title not in headings(path)
    ] == []


@pytest.mark.parametrize(
    "page", [ROOT / "README.md", *PAGES], ids=lambda page: str(page.relative_to(ROOT))
)
def test_the_files_that_a_page_names_are_there(page: Path) -> None:
    there = files()
    named = set(NAMED.findall(PEERS.sub("", CODE.sub("", page.read_text()))))
    assert [name for name in sorted(named) if not any(f.endswith(f"/{name}") for f in there)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(SPEC)))
def test_a_page_says_at_its_beginning_what_proves_it(page: Path) -> None:
    beginning = page.read_text().partition("\n## ")[0]
    assert re.search(r"`\S*(_spec\.lua|test_\w+\.py)`|specs\s+beside\s+it", beginning)
