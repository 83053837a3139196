"""``CONTRIBUTING.md``: what it names is there, and its picture has every room."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests import test_python_rooms, test_rooms

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "CONTRIBUTING.md"
TOPS = ("host", "lua", "scripts", "spec", "tests")
PATH = re.compile(rf"(?<![\w./])(?:{'|'.join(TOPS)})/[\w./]*\w|(?<![\w./])[A-Z]+\.md")
SLOTS = {5: "five"}


def paths() -> set[str]:
    """The paths that the page names, wherever in it."""
    return set(PATH.findall(PAGE.read_text()))


def storeys(heading: str) -> list[list[str]]:
    """The storeys that the picture draws below a heading, from above, as words."""
    picture = PAGE.read_text().split(f"\n {heading} ")[-1].split(f"\n {heading}\n")[-1]
    lines = picture.split("\n\n")[0].split("\n```")[0].splitlines()
    return [re.findall(r"\w+", line) for line in lines]


def test_every_path_that_is_named_is_there() -> None:
    assert len(paths()) > 40
    assert [path for path in sorted(paths()) if not (ROOT / path).exists()] == []


def test_every_module_that_is_to_be_run_is_there() -> None:
    modules = re.findall(r"python -m ([\w.]+)", PAGE.read_text())
    assert modules
    assert [module for module in modules if find_spec(module) is None] == []


@pytest.mark.parametrize(
    ("heading", "rooms"),
    [("lua/swarm", test_rooms.STOREYS), ("host/swarm_host", test_python_rooms.STOREYS)],
)
def test_the_picture_has_the_storeys(heading: str, rooms: tuple[tuple[str, ...], ...]) -> None:
    drawn = storeys(heading)
    lines = []
    for storey in rooms:
        named = {room for room in storey if not room.startswith("__")}
        if named:
            found = [i for i, words in enumerate(drawn) if words and words[0] in named]
            assert len(found) == 1, storey
            assert named <= set(drawn[found[0]]), storey
            lines += found
    assert lines == sorted(lines, reverse=True)


def test_it_counts_the_slots() -> None:
    assert f"the\n{SLOTS[test_rooms.MOST_SLOTS]} slots" in PAGE.read_text()
