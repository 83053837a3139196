"""Reloads as text, and excerpts of the source."""

from __future__ import annotations

from pathlib import Path

import pytest

from swarm_host.host import Reloaded
from swarm_host.view.reloads import line_of
from swarm_host.view.source import excerpt

# Lines. ------------------------------------------------------------------------------------------


def test_a_line_names_what_changed_and_counts_the_rest() -> None:
    change = Reloaded(2, ["worker lint"], ["worker old"], ["worker count"], 3, 0.0124)
    assert line_of(change, [1]) == (
        "reload: generation 2 in 12 ms: + worker lint, - worker old, ~ worker count; "
        "3 workers drain (generation 1)"
    )
    many = Reloaded(4, [f"worker {n}" for n in range(40)], [], [], 1, 0.5)
    assert line_of(many, [2, 3]).endswith(
        "+ worker 11, and 28 more; 1 worker drains (generations 2, 3)"
    )
    stays = Reloaded(1, [], [], [], 2, 0.008, switched=False)
    assert line_of(stays, [1]) == "reload: nothing changed; generation 1 stays"
    assert line_of(stays, dry_run=True, mended=True) == (
        "reload: nothing would change; generation 1 stays (mended)"
    )
    nothing = Reloaded(2, [], [], [], 0, 0.008)
    assert line_of(nothing) == "reload: generation 2 in 8 ms: no definition changed"
    first = Reloaded(1, [], [], [], 0, 0.008)
    assert line_of(first, main="main runs", mended=True) == (
        "reload: generation 1 in 8 ms: loaded; main runs (mended)"
    )


CARETS = [
    ("local half = #args // 2", "unexpected symbol near '/'", "local"),
    ("local x = y + zz", "attempt to perform arithmetic on global 'zz' (a nil value)", "zz"),
    ("  return x.name.first", "attempt to index field 'name' (a nil value)", "name"),
    ('swarm.worker "a" { timout = 5 }', 'worker "a" has no field "timout"', "timout"),
    ("    error('x')", "x", "error"),
    ("\tfoo()", "attempt to call global 'foo' (a nil value)", "foo"),
    ("swarm.main(function(", "'<name>' expected near '<eof>'", ""),
]


@pytest.mark.parametrize(("line", "message", "at"), CARETS)
def test_a_caret_stands_under_what_the_message_speaks_of(
    tmp_path: Path, line: str, message: str, at: str
) -> None:
    path = tmp_path / "x.lua"
    path.write_text(f"first\n{line}\nlast")
    source, caret = excerpt(f"{path}:2", message)
    assert source.startswith("  2 | ")
    column = caret.index("^")
    assert caret[:column].replace("|", " ").strip() == ""
    if at:
        assert source[column:].startswith(at)
    else:
        assert column == len(source)


def test_no_excerpt_where_there_is_no_such_line(tmp_path: Path) -> None:
    path = tmp_path / "x.lua"
    path.write_bytes(b"\xff\xfe\x00\n\n" + b"x" * 5000)
    assert excerpt("nowhere.lua:1", "x") == []
    assert excerpt(f"{path}:99", "x") == []
    assert excerpt(f"{path}:2", "x") == []
    assert excerpt("", "x") == []
    assert excerpt(str(tmp_path), "x") == []
    assert all(len(line) < 120 for line in excerpt(f"{path}:3", "x"))
    assert "\ufffd" in excerpt(f"{path}:1", "x")[0]
