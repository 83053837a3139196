"""What comes with the host is clean: its scripts, its specs, the scripts of its pages. The pages'
own faults are those that they show."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.checking.finding import found
from tests.docs.test_docs import FENCE, PAGES, examples

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = sorted((ROOT / "scripts").glob("*.lua"))
SPECS = sorted((ROOT / "spec").rglob("*_spec.lua"))
SHOW_FAULTS = {"check.md", "errors.md", "python.md", "schemas.md"}
"""Pages whose scripts are wrong for the page's sake."""


def lua_path(spec: Path) -> list[str]:
    """Where specs find what they share, as spec/conftest.py has it."""
    around = [
        folder / "lua" for folder in spec.parents if (ROOT / "spec") in (folder, *folder.parents)
    ]
    return [str(folder) for folder in around if folder.is_dir()]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_scripts_are_clean(script: Path) -> None:
    assert found(script) == []


@pytest.mark.parametrize("script", SPECS, ids=lambda path: str(path.relative_to(ROOT / "spec")))
def test_specs_are_clean(script: Path) -> None:
    assert found(script, lua_path(script)) == []


@pytest.mark.parametrize(
    "page", [page for page in PAGES if page.name not in SHOW_FAULTS], ids=lambda page: page.name
)
def test_the_scripts_of_a_page_are_clean(page: Path, tmp_path: Path) -> None:
    names = []
    for language, rest, body in FENCE.findall(page.read_text()):
        if language == "lua" and "file=" in rest:
            names.append(rest.split("file=")[1].split()[0])
            (tmp_path / names[-1]).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / names[-1]).write_text(body)
    assert len(names) >= len(
        {name for files, _, _ in examples(page) for name in files if name.endswith(".lua")}
    )
    assert [one for name in names for one in found(tmp_path / name)] == []


def test_there_is_something_to_be_clean() -> None:
    assert len(SCRIPTS) >= 5
    assert len(SPECS) > 100
