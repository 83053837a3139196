"""Exercises of libraries, each a script of its own: in plain LuaJIT, guarded, and trusted.

A library is looked for where ``LUA_LIBRARIES`` says (folders that have ``share/lua/5.1`` and
``lib/**/lua/5.1`` as a LuaRocks tree or ``/usr`` has them), else in ``/usr``.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

EXERCISES = Path(__file__).parent / "exercises"
MODES = ("plain", "guarded", "trusted")
SECONDS = 60

_PLAIN = """
import sys, ctypes, os
import lupa.luajit21 as luajit
ctypes.CDLL(luajit.__file__, mode=os.RTLD_NOW | os.RTLD_GLOBAL | os.RTLD_NOLOAD)
luajit.LuaRuntime().execute(open(sys.argv[1]).read())
"""


@dataclass(frozen=True, slots=True)
class Libraries:
    """Where libraries are.

    :ivar lua: folders of modules in Lua.
    :ivar c: folders of C modules.
    """

    lua: list[Path] = field(default_factory=list)
    c: list[Path] = field(default_factory=list)

    def variables(self) -> dict[str, str]:
        """The environment in which all modes find them."""
        lua = [f"{folder}/{name}" for folder in self.lua for name in ("?.lua", "?/init.lua")]
        return os.environ | {
            "LUA_PATH": ";".join(lua),
            "LUA_CPATH": ";".join(f"{folder}/?.so" for folder in self.c),
        }


def found() -> Libraries:
    """The libraries of this machine."""
    roots = [Path(one) for one in os.environ.get("LUA_LIBRARIES", "/usr").split(":") if one]
    return Libraries(
        [folder for root in roots for folder in sorted(root.glob("share/lua/5.1"))],
        [folder for root in roots for folder in sorted(root.glob("lib/**/lua/5.1"))],
    )


def exercises() -> list[str]:
    """The names of the exercises."""
    return sorted(path.stem for path in EXERCISES.glob("*.lua"))


def _lies_in(libraries: Libraries, module: str) -> bool:
    path = module.replace(".", "/")
    places = [
        folder / end for folder in libraries.lua for end in (f"{path}.lua", f"{path}/init.lua")
    ]
    places += [folder / f"{path}.so" for folder in libraries.c]
    return any(place.exists() for place in places)


def is_there(libraries: Libraries, name: str) -> bool:
    """Whether the library of an exercise is on this machine.

    It is the one that has the first module that the exercise requires. Where two libraries have one
    name, an exercise says which: ``-- beside: MODULE`` is the one that has MODULE too, and
    ``-- not beside: MODULE`` the other.
    """
    text = (EXERCISES / f"{name}.lua").read_text()
    first = re.search(r'require\(?\s*"([\w.-]+)"', text)
    assert first, name
    which = re.search(r"^-- (not )?beside: ([\w.-]+)$", text, re.M)
    if which and _lies_in(libraries, which[2]) == bool(which[1]):
        return False
    return _lies_in(libraries, first[1])


def _command(mode: str, libraries: Libraries, name: str, folder: Path) -> list[str]:
    script = EXERCISES / f"{name}.lua"
    if mode == "plain":
        return [sys.executable, "-c", _PLAIN, str(script)]
    main = folder / f"{name}_{mode}.lua"
    source = script.read_text()
    main.write_text(f"swarm.main(function()\n{source}\nend)\n")
    trust = ["--trust"] if mode == "trusted" else []
    places = [word for one in libraries.lua for word in ("--lua-path", str(one))]
    return [sys.executable, "-m", "swarm_host", *trust, *places, str(main)]


def tried(mode: str, libraries: Libraries, name: str, folder: Path) -> str:
    """Runs an exercise.

    :param folder: where its script may lie.
    :return: "" where it passed, else the first line of what went wrong.
    """
    done = subprocess.run(
        _command(mode, libraries, name, folder),
        cwd=folder,
        env=libraries.variables(),
        capture_output=True,
        timeout=SECONDS,
        text=True,
    )
    if done.returncode == 0:
        return ""
    said = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
    errors = [line for line in said if "Error" in line]
    return errors[-1] if mode == "plain" and errors else said[0]
