"""The rooms of host/swarm_host: who may import whom."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

HOST = Path(__file__).resolve().parents[1] / "host" / "swarm_host"

# From the ground up. A file imports files of its own room and of rooms on lower storeys; rooms that
# share a storey do not know each other. What is imported in a function, or for types, counts too.
STOREYS = (
    ("backlog", "entries", "errors", "login", "outcome", "tokens", "version"),
    ("ports", "vm"),
    ("journal", "audit"),
    ("options", "pump", "threads"),
    ("handle", "sinks", "told"),
    ("visited",),
    ("ending", "reload"),
    ("host",),
    ("sync", "view"),
    ("serving",),
    ("checking", "testing"),
    ("cli",),
    ("__init__", "__main__"),
)
LEVEL = {room: storey for storey, rooms in enumerate(STOREYS) for room in rooms}
MOST_LINES, MOST_FILES = 400, 14


def name_of(path: Path) -> str:
    """A file's name as imports have it, below ``swarm_host``; a folder's is that of its face."""
    return ".".join(path.relative_to(HOST).with_suffix("").parts).removesuffix(".__init__")


@cache
def files() -> dict[str, Path]:
    return {name_of(path): path for path in HOST.rglob("*.py")}


@cache
def imports() -> dict[str, set[str]]:
    """Each file, and the files that it imports, wherever in it."""
    found: dict[str, set[str]] = {}
    for name, path in files().items():
        wanted = found[name] = set()
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                wanted |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{name}: imports are written in full"
                wanted |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {
        name: {target for one in wanted if (target := file_of(one)) and target != name}
        for name, wanted in found.items()
    }


def file_of(imported: str) -> str | None:
    """The file that an import of a module, or of a name in one, means; None: not one of ours."""
    package, _, name = imported.partition(".")
    if package != "swarm_host":
        return None
    return name if name in files() else name.rpartition(".")[0] or "__init__"


def room(name: str) -> str:
    return name.split(".")[0]


def test_every_file_is_in_a_room() -> None:
    assert {room(name) for name in files()} == LEVEL.keys()


def test_imports_run_down() -> None:
    wrong = {
        f"{name} imports {target}"
        for name, targets in imports().items()
        for target in targets
        if room(target) != room(name) and LEVEL[room(target)] >= LEVEL[room(name)]
    }
    assert wrong == set()


def test_imports_make_no_circle() -> None:
    left = {name: set(targets) for name, targets in imports().items()}
    while free := {name for name, targets in left.items() if not targets & left.keys()}:
        left = {name: targets for name, targets in left.items() if name not in free}
    assert left == {}


def test_ports_do_not_know_each_other() -> None:
    """What ports share lies beside their folders; a folder in one of these is a part of it."""
    folders = {name for name in files() if (HOST.joinpath(*name.split("."))).is_dir()} - {"ports"}
    folders = {name for name in folders if name.count(".") < 2}
    wrong = {
        f"{name} imports {target}"
        for name, targets in imports().items()
        for target in targets
        for folder in folders
        if name.startswith("ports.") and target.startswith("ports.")
        if target.startswith(folder) and not name.startswith(folder)
    }
    assert wrong == set()


def test_the_guardian_knows_nothing_of_the_host() -> None:
    """It is a program of its own, there before the host's packages could be imported."""
    own = "ports.process.guardian"
    wrong = {
        f"{name} imports {target}"
        for name, targets in imports().items()
        if name.startswith(f"{own}.")
        for target in targets
        if not target.startswith(own)
    }
    assert wrong == set()


def test_only_the_kernel_speaks_to_lua() -> None:
    """Whoever else needs something of Lua asks a method of ``vm/kernel.py``, which is a VM that is
    asked (``vm/asked.py``)."""
    wrong = {name for name, targets in imports().items() if "vm.luajit" in targets}
    assert wrong == {"vm", "vm.asked", "vm.kernel"}


def test_rooms_stay_small() -> None:
    of: dict[Path, int] = {}
    for name, path in files().items():
        of[path.parent] = of.get(path.parent, 0) + 1
        assert path.read_text().count("\n") <= MOST_LINES, name
    del of[HOST]  # the rooms themselves, and what is a room by itself
    assert max(of.values()) <= MOST_FILES, of
