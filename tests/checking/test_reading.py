"""What is read, and how: modules, definitions, files that do not parse, and files that are none."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

import pytest

from swarm_host.checking import tree
from swarm_host.checking.names import resolve
from swarm_host.checking.tree import GRACE_SECONDS, LEAST_BYTES_A_SECOND, MOST_BYTES, NotRead, read
from tests.checking.finding import found, found_in, places

MAIN = "swarm.main(function() %s end)\n"

LUAJIT = r"""#!/usr/bin/env swarm-host
local big, bigger, imaginary, hex = 1LL, 2ULL, 3i, 0x1p4
local long = [==[
]] not the end ]==] --[[ a
comment ]] local text = "a\z
   b\x41\u{48}\065\
c"
for i = 1, 3 do
  if i == 2 then goto continue end
  do local continue = i end
  ::continue::
end
local f = function(...) return select("#", ...), ... end
f { 1, 2; n = 3, ["k"] = 4, [5] = 6, } f "x" f [[y]]
swarm.main(function() return tostring(big + bigger) .. long .. text, imaginary, hex end)
"""


def test_what_luajit_reads_is_read(tmp_path: Path) -> None:
    assert found_in(tmp_path, LUAJIT) == []
    assert not read(LUAJIT.encode()).is_broken


def test_modules_of_its_own_are_followed_and_libraries_are_not(tmp_path: Path) -> None:
    (tmp_path / "lua" / "deep").mkdir(parents=True)
    (tmp_path / "lua" / "deep" / "init.lua").write_text(
        "require 'beside'\nreturn { go = function() return wrong_in_deep end }\n"
    )
    (tmp_path / "beside.lua").write_text(
        "swarm.worker 'made' { run = function() return wrong_beside end }\nfunction shared() end\n"
    )
    library = tmp_path / "lua_modules" / "share" / "lua" / "5.1"
    library.mkdir(parents=True)
    (library / "far.lua").write_text("return function() return not_ours end\n")
    text = MAIN % "local d = require 'deep', require 'late' shared(d) swarm.call 'made'"
    (tmp_path / "late.lua").write_text("return function( end\n")
    findings = found_in(tmp_path, "require 'deep' require 'far'\n" + text)
    named = [
        f"{Path(one.path).name} {place}"
        for one, place in zip(findings, places(findings), strict=True)
    ]
    assert sorted(named) == [
        "beside.lua undefined-global 1:47",
        "init.lua undefined-global 2:33",
        "late.lua syntax-error 1:18",
    ]


def test_all_that_is_wrong_with_definitions_is_told_at_its_field(tmp_path: Path) -> None:
    text = """swarm.worker "a" {
  command = "nope",
  timout = 5, timeout = "5",
}
swarm.worker("b", { run = 1 })
swarm.worker "c"
swarm.worker "d" { run = function() end, role = "reader" }
swarm.worker "d" { run = function() end }
swarm.role "reader" { deny = { "fly" } }
swarm.after("nobody", function() end)
swarm.use "nothing"
swarm.main(1)
pcall(swarm.worker, "e", { run = 1 })
pcall(function() swarm.worker "f" { run = 1 } end)
"""
    told = [place for place in places(found_in(tmp_path, text)) if "unused" not in place]
    assert told == [
        "definition 2:3",
        "definition 3:3",
        "definition 3:15",
        "definition 5:21",
        "definition 6:15",
        "definition 8:15",
        "definition 9:33",
        "definition 12:1",
    ]


def test_what_names_a_wrong_definition_is_left_alone(tmp_path: Path) -> None:
    text = """swarm.worker "a" { run = function() end, role = "r", layers = { "l" }, pool = "p" }
swarm.role "r" { deny = 1 }
swarm.layer "l" { before = 1 }
swarm.pool "p" { slots = 0 }
swarm.command "c" { command = 1 }
swarm.worker "b" { command = "c" }
swarm.worker "x" { run = 1 }
swarm.after("x", function() end)
swarm.main(function() swarm.call "x" swarm.call "a" swarm.call "b" end)
"""
    assert [place.split(":")[0] for place in places(found_in(tmp_path, text))] == [
        f"definition {line}" for line in (2, 3, 4, 5, 7)
    ]


def test_names_that_lead_nowhere_are_told_all_at_once(tmp_path: Path) -> None:
    text = """swarm.worker "a" { run = function() end, layers = { "l" } }
swarm.after("x", function() end)
swarm.before("y", function() end)
swarm.use "z"
swarm.main(function() swarm.call "a" end)
"""
    assert [place.split(":")[0] for place in places(found_in(tmp_path, text))] == [
        f"definition {line}" for line in (1, 2, 3, 4)
    ]


def test_a_file_that_does_not_parse_is_read_as_far_as_it_can_be(tmp_path: Path) -> None:
    text = """swarm.worker "review" { run = function() end }
swarm.main(function()
  swarm.call "review"
  swarm.call "reveiw"
  print(totl)
end)

local function broken(
  if then
end
"""
    findings = found_in(tmp_path, text)
    assert [one.id for one in findings].count("syntax-error") == 1
    assert {"unknown-worker 4:14", "undefined-global 5:9"} <= set(places(findings))


def test_an_error_of_loading_is_told_with_its_frames(tmp_path: Path) -> None:
    text = "local function fail()\n  error('no configuration')\nend\nfail()\nprint(totl)\n"
    findings = found_in(tmp_path, text)
    assert places(findings) == ["load-error 2:3", "undefined-global 5:7"]
    assert any("in main chunk" in note for note in findings[0].notes)


@pytest.mark.parametrize("text", ["error('no')", "x y", "swarm.worker 'a' { run = 1 }", "(nil)()"])
def test_a_long_path_is_told_in_full(text: str, tmp_path: Path) -> None:
    folder = tmp_path / ("long" * 20)
    folder.mkdir()
    (one,) = found_in(folder, text)
    assert one.path == str(folder / "script.lua")
    assert "..." not in one.message


def test_columns_count_characters(tmp_path: Path) -> None:
    text = 'swarm.main(function() return "äöü€𝄞\tx", totl end)\n'
    (one,) = found_in(tmp_path, text)
    assert text.splitlines()[0][one.column - 1 :].startswith("totl")
    assert one.length == 4


@pytest.mark.parametrize(
    "line",
    [
        "---@diagnostic disable-next-line: undefined-global\nprint(totl)",
        "print(totl) ---@diagnostic disable-line: undefined-global",
        "print(totl) --- @diagnostic disable-line",
        "---@diagnostic disable: unknown-worker, undefined-global\nprint()\nprint(totl)",
        "---@diagnostic disable\nprint(totl)",
    ],
)
def test_a_comment_silences_a_place(line: str, tmp_path: Path) -> None:
    assert found_in(tmp_path, MAIN % f"\n{line}\n") == []


@pytest.mark.parametrize(
    "line",
    [
        "---@diagnostic disable-next-line: unknown-worker\nprint(totl)",
        "---@diagnostic disable-next-line: undefined-global\n\nprint(totl)",
        "---@diagnostic disable: undefined-global\n---@diagnostic enable\nprint(totl)",
        "---@diagnostic disable: undefined-global\n"
        "---@diagnostic enable: undefined-global\nprint(totl)",
        "print(totl, '---@diagnostic disable-line')",
        "-- @diagnostic disable-next-line: undefined-global\nprint(totl)",
    ],
)
def test_a_comment_silences_nothing_else(line: str, tmp_path: Path) -> None:
    assert [one.id for one in found_in(tmp_path, MAIN % f"\n{line}\n")] == ["undefined-global"]


def test_what_keeps_a_script_from_loading_is_not_silenced(tmp_path: Path) -> None:
    text = "---@diagnostic disable\nswarm.worker 'a' { run = 1 }\nx y\n"
    assert places(found_in(tmp_path, text)) == ["syntax-error 3:3"]


@pytest.mark.parametrize(
    "piece",
    [b"local function ", b"{", b"if x then ", b'"', b"[[", b"= ", b"x.", b"(", b"end ", b"\x00",
     b"\xff\xfe", b"function() ", b"a:b ", b"-", b"elseif "],
)  # fmt: skip
def test_junk_is_read_in_bounded_time(piece: bytes) -> None:
    text = piece * (300_000 // len(piece))
    began = time.monotonic()
    with suppress(NotRead):
        resolve(read(text), text)
    assert time.monotonic() - began < 4 * (GRACE_SECONDS + MOST_BYTES / LEAST_BYTES_A_SECOND)


def test_a_parser_that_gave_up_reads_the_next_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tree, "GRACE_SECONDS", -60.0)
    with pytest.raises(NotRead):
        read(b"local function " * 20_000)
    monkeypatch.undo()
    assert not read(b"local x = 1").is_broken


def test_a_file_that_is_too_long_is_loaded_and_not_read(tmp_path: Path) -> None:
    text = b"swarm.main(function() return totl end) --" + b"x" * MOST_BYTES
    (one,) = found_in(tmp_path, text)
    assert (one.id, one.severity, one.line) == ("not-read", "warning", 1)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\n",
        b"\x1bLJ\x02",
        b"\xef\xbb\xbfswarm.main(function() end)\r\n",
        b"swarm.main(function() return '\xff\xfe\x00' end)",
        b"x = " + b"(" * 50_000,
        b"local x = 1" + b" + 1" * 50_000 + b"\nswarm.main(function() return x end)",
        b"\x00\x01\x02" * 100,
        b"return",
        b"--",
        b"--[[",
        b"'\\",
    ],
)
def test_odd_bytes_are_no_trouble(text: bytes, tmp_path: Path) -> None:
    script = tmp_path / "odd.lua"
    script.write_bytes(text)
    assert {one.id for one in found(script)} <= {"syntax-error", "load-error"}
