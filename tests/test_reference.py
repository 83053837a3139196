"""``spec/reference.md`` is what the types say: no name is missing, and no link leads nowhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests import reference
from tests.reference import CHAPTERS, PAGE, TYPES

NAMED = re.compile(r"^(?:---@(?:class|alias|field) |---\| |function )([^\s(]+)", re.MULTILINE)


def test_the_page_is_what_the_types_say() -> None:
    assert PAGE.read_text() == reference.page(), "run python -m tests.reference"


@pytest.mark.parametrize("path", sorted(TYPES.glob("*.lua")), ids=lambda path: path.name)
def test_every_name_of_the_types_is_on_the_page(path: Path) -> None:
    said = PAGE.read_text()
    names = NAMED.findall(path.read_text())
    assert names
    for name in names:
        assert re.search(rf"(?<!\w){re.escape(re.split('[.:]', name)[-1])}(?!\w)", said), name
    for function in re.findall(r"^function \w+[.:](\w+)\(", path.read_text(), re.MULTILINE):
        assert re.search(rf"`[\w.]+[.:]{function}\(", said), function


def test_a_link_within_the_page_leads_to_one_heading() -> None:
    headings = [
        reference.anchor(title) for title in re.findall(r"^##+ (.+)$", PAGE.read_text(), re.M)
    ]
    assert sorted(set(headings)) == sorted(headings)
    assert set(re.findall(r"\]\(#([^)]+)\)", PAGE.read_text())) - set(headings) == set()


def test_chapters_are_of_names_that_there_are() -> None:
    known: set[str] = set()
    for path in reference.files():
        known.add(path.name)
        for section in reference.read(path):
            known.add(f"{path.name} {section.title}")
            for item in section.items:
                known |= set(reference.around(item.name))
                known |= {f"{item.name}.{re.split('[?:]', note)[0]}" for note, _ in item.notes}
    assert CHAPTERS.keys() - known == set()


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("string what it is", ("string", "what it is")),
        ("fun(a: b, c: d): any, any what it is", ("fun(a: b, c: d): any, any", "what it is")),
        ("table<integer, string>? err", ("table<integer, string>?", "err")),
        ("(a|fun(b: c): d)[] a list: of these", ("(a|fun(b: c): d)[]", "a list: of these")),
        ('"a b"|false either', ('"a b"|false', "either")),
        ("any", ("any", "")),
    ],
)
def test_a_type_ends_where_its_description_begins(text: str, parts: tuple[str, str]) -> None:
    assert reference.typed(text) == parts


def test_a_file_that_nobody_knows_is_read_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Names that are new need no change here."""
    for path in TYPES.glob("*.lua"):
        (tmp_path / path.name).write_text(path.read_text())
    (tmp_path / "agents.lua").write_text(
        "---@meta _\n\n-- Agents -----\n\n---Starts one.\n---@param name string\n"
        "---@return swarm.Agent agent\nfunction swarm.agent(name) end\n\n"
        "---An agent.\n---@class swarm.Agent\n---@field session string? where it goes on,\n"
        "---and where\n---it began\n---@field id string\n"
        "local Agent = {}\n\n---Says so.\nfunction Agent:tell(text) end\n"
    )
    monkeypatch.setattr(reference, "TYPES", tmp_path)
    end = reference.page().partition("## agents.lua\n")[2]
    assert "`swarm.agent(name: string) → agent: swarm.Agent`: Starts one." in end
    assert "### swarm.Agent\n\nAn agent." in end
    assert "- `session: string?`: where it goes on, and where it began\n- `id: string`\n" in end
    assert "- `agent:tell()`: Says so." in end
