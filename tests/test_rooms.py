"""The rooms of lua/swarm: who may require whom, and who may reach into whom."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

LUA = Path(__file__).resolve().parents[1] / "lua" / "swarm"

# From the ground up. A file requires files of its own room and of rooms on lower storeys; rooms
# that share a storey do not know each other.
STOREYS = (
    ("ground",),
    ("values",),
    ("scheduler",),
    ("events",),
    ("scope",),
    ("rights",),
    ("worker",),
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
    "cancelling",
    "clock",
    "ending",
    "events",
    "frames",
    "idle",
    "log",
    "modules",
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
    for name, text in files().items():
        if name == "doors/wiring":
            continue
        required = {alias for alias, _ in REQUIRE.findall(text) if alias} - SWITCHES
        wrong += [
            f"{name}: {m[0].strip()}" for m in FILLS.finditer(text) if (m[1] or m[2]) in required
        ]
    assert not wrong


def test_what_another_file_is_asked_for_is_there() -> None:
    texts = {name: re.sub(r"--.*", "", text) for name, text in files().items()}
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


def test_rooms_stay_small() -> None:
    of: dict[str, int] = {}
    for name, text in files().items():
        of[str(Path(name).parent)] = of.get(str(Path(name).parent), 0) + 1
        assert text.count("\n") <= MOST_LINES, name
    assert max(of.values()) <= MOST_FILES, of
