"""The rooms of lua/swarm: who may require whom, and who may reach into whom."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

LUA = Path(__file__).resolve().parents[1] / "lua" / "swarm"
FACE = LUA.parent / "swarm.lua"

# From the ground up. A file requires files of its own room and of rooms on lower storeys; rooms
# that share a storey do not know each other.
STOREYS = (
    ("ground",),
    ("values", "agents"),
    ("scheduler",),
    ("events", "journal"),
    ("scope",),
    ("rights",),
    ("worker",),
    ("people",),
    ("structure", "sharing", "outside"),
    ("kinds", "layers"),
    ("sandbox",),
    ("script",),
    ("testing",),
    ("doors",),
)
LEVEL = {room: storey for storey, rooms in enumerate(STOREYS) for room in rooms}
REQUIRE = re.compile(r'(?:local (\w+) = )?require\(?\s*"swarm\.([\w.]+)"')
FILLS = re.compile(r"^\s*(?:function (\w+)\.[\w.]+\(|(\w+)\.[\w.]+\s*=[^=])", re.MULTILINE)
SWITCHES = {
    "again",
    "audit",
    "cancelling",
    "clock",
    "ending",
    "events",
    "frames",
    "idle",
    "log",
    "modules",
    "noting",
    "operator_kind",
    "records",
    "reuse",
    "searchers",
    "tally",
}  # set by doors and exploration
GIVEN = {"swarm.vm"}  # made by vm.py
MOST_LINES, MOST_FILES = 400, 14

MOST_SLOTS = 5  # functions that a lower file leaves open for doors/wiring to fill


def files() -> dict[str, str]:
    """Each file of the rooms, by its name below ``lua/swarm``."""
    return {str(p.relative_to(LUA).with_suffix("")): p.read_text() for p in LUA.rglob("*.lua")}


def test_every_file_is_in_a_room() -> None:
    assert {name.split("/")[0] for name in files()} <= LEVEL.keys()


def test_requires_run_down() -> None:
    wrong = set()
    for name, text in files().items():
        mine = name.split("/")[0]
        for _, target in REQUIRE.findall(text):
            theirs = target.split(".")[0]
            if f"swarm.{target}" not in GIVEN and theirs != mine and LEVEL[theirs] >= LEVEL[mine]:
                wrong.add(f"{name} requires {target}")
    assert not wrong


def test_only_wiring_fills_what_another_file_left_open() -> None:
    wrong = []
    for name, text in {**files(), "../swarm": FACE.read_text()}.items():
        if name == "doors/wiring":
            continue
        required = {alias for alias, _ in REQUIRE.findall(text) if alias} - SWITCHES
        wrong += [
            f"{name}: {m[0].strip()}" for m in FILLS.finditer(text) if (m[1] or m[2]) in required
        ]
    assert not wrong


def test_what_another_file_is_asked_for_is_there() -> None:
    all_files = {**files(), "../swarm": FACE.read_text()}
    texts = {name: re.sub(r"--.*", "", text) for name, text in all_files.items()}
    wrong = set()
    for name, text in texts.items():
        for alias, target in REQUIRE.findall(text):
            theirs = texts.get(target.replace(".", "/"))
            asked = re.findall(rf"(?<![\w.:\"]){alias}\.(\w+)", text) if alias and theirs else []
            wrong |= {
                f"{name}: {alias}.{field}"
                for field in asked
                if not re.search(rf"\b{field}\s*[,=]|function \w+\.{field}\(", theirs or "")
            }
    assert not wrong


def test_slots_are_few() -> None:
    filled = FILLS.findall(files()["doors/wiring"])
    assert 0 < len(filled) <= MOST_SLOTS, filled


@pytest.mark.parametrize(
    ("made_in", "called"),
    [("worker/definition", "def"), ("script/generation", "generation")],
)
def test_a_field_is_declared_where_its_table_is_made(made_in: str, called: str) -> None:
    texts = files()
    declared = set(re.findall(r"^    (\w+) = ", texts[made_in], re.MULTILINE))
    assert len(declared) > 20
    for name, text in texts.items():
        for field in re.findall(rf"\b{called}\.(\w+)\s*=[^=]", text):
            assert field in declared, f"{name}: {field}"


def test_every_field_that_all_kinds_have_is_handed_over_once_it_is_checked() -> None:
    texts = files()
    common = texts["script/fields"].split("local COMMON = {")[1].split("}")[0]
    fields = set(re.findall(r"^  (\w+) =", common, re.MULTILINE)) - {"kind"}
    made = texts["script/registry"].split("definition.new(")[1].split("\n  })")[0]
    assert len(fields) > 5
    assert fields - set(re.findall(r"\bfields\.(\w+)", made)) == set()


def test_every_kind_is_typed_and_passes_the_suite_of_all_kinds() -> None:
    kinds = set(re.findall(r'\{ name = "(\w+)"', files()["kinds/all"]))
    types = (LUA.parent / "types" / "definitions.lua").read_text()
    suite = (LUA.parents[1] / "spec" / "kinds" / "kinds_spec.lua").read_text()
    proved = suite.split("local KINDS = {")[1].split("\n}\n")[0]
    typed = re.search(r"@field kind\? (\S+)", types)
    assert len(kinds) > 1
    assert kinds <= set(re.findall(r"^  (\w+) = {", proved, re.MULTILINE))
    assert typed
    assert set(re.findall(r"\w+", typed[1])) == kinds


def test_rooms_stay_small() -> None:
    of: dict[str, int] = {}
    for name, text in files().items():
        of[str(Path(name).parent)] = of.get(str(Path(name).parent), 0) + 1
        assert text.count("\n") <= MOST_LINES, name
    assert max(of.values()) <= MOST_FILES, of
