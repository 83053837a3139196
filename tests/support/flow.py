"""A script that tells when its definitions change, and saves of it."""

from __future__ import annotations

from pathlib import Path

from tests.support.saving import WAYS

# Says what the newest `count` gives whenever that changes, until there is a file `stop`.
FLOW = """
swarm.worker "count" { run = function() return "value 0" end }
swarm.main(function()
  local before
  repeat
    local value = swarm.call "count"
    if value ~= before then print(value, swarm.generation()) io.write("") end
    before = value
    swarm.sleep(0.002)
  until swarm.fs.exists "stop"
end)
"""

SLEEPS = 'swarm.main(function() print("run 0") swarm.sleep(60) end)'


def write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        path = folder / f"{name.replace('__', '/')}.lua"
        path.parent.mkdir(exist_ok=True)
        WAYS["by_rename"](path, text)


def saved(folder: Path, number: int, way: str = "by_rename") -> None:
    text = (folder / "app.lua").read_text()
    start = text.index('"value ')
    end = text.index('"', start + 1) + 1
    WAYS[way](folder / "app.lua", f'{text[:start]}"value {number}"{text[end:]}')
