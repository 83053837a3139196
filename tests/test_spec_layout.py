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
WORDS = "lua"  # the folder of what the specs of a chapter share
LINK = re.compile(r"\]\(([^)\s#]+)\)")
PAGES = sorted(SPEC.rglob("*.md"))
SPECS = sorted(SPEC.rglob("*_spec.lua"))


def folders() -> list[Path]:
    """The folders of chapters: every one below ``spec/`` that is not of shared words."""
    found = [path for path in SPEC.rglob("*") if path.is_dir() and path.name != "__pycache__"]
    return [path for path in found if WORDS not in path.relative_to(SPEC).parts]


def links(page: Path) -> list[Path]:
    """What a page links to in this repository."""
    found = LINK.findall(page.read_text())
    return [(page.parent / to).resolve() for to in found if not to.startswith("http")]


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
    assert [path for path in links(page) if not path.exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(SPEC)))
def test_a_page_says_at_its_beginning_what_proves_it(page: Path) -> None:
    beginning = page.read_text().partition("\n## ")[0]
    assert re.search(r"`\S*(_spec\.lua|test_\w+\.py)`|specs\s+beside\s+it", beginning)
