"""Results that are used again in other runs, while nothing that they came of has changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.command_line import run, script

WORKER = """
swarm.worker "w{n}" {{
  {cache}
  run = function(ctx, input)
    print("w{n}")
    {body}
    return {{ n = {n}, text = swarm.fs.exists("f{n}") and swarm.fs.read("f{n}") }}
  end,
}}
"""
MAIN = """
swarm.main(function()
  local out = {}
  for n = 1, 10 do out[n] = swarm.call("w" .. n, n).n end
  return swarm.json.encode(out)
end)
"""
ALL = list(range(1, 11))


def write(body: str = "", cache: str = "", edited: int = 0, rest: str = "") -> None:
    workers = [
        WORKER.format(n=n, body=body + (" local edited = true" if n == edited else ""), cache=cache)
        for n in ALL
    ]
    script(Path(), rest + "".join(workers) + MAIN)


def ran(*words: str) -> list[int]:
    """Which workers ran; their results are the same in any case."""
    done = run(*words, "script.lua")
    assert done.returncode == 0, done.stderr
    *lines, result = done.stdout.decode().split()
    assert result == "[1,2,3,4,5,6,7,8,9,10]"
    return [int(line[1:]) for line in lines]


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def test_one_of_ten_is_edited_and_a_file_of_another() -> None:
    for n in range(1, 10):
        Path(f"f{n}").write_text(str(n))
    write()
    assert ran("--reuse") == ALL
    assert ran("--reuse") == []
    write(edited=4)
    assert ran("--reuse") == [4]
    Path("f2").write_text("other")
    Path("f10").write_text("new: it was looked for, and not there")
    assert ran("--reuse") == [2, 10]
    assert ran("--reuse") == []
    assert ran() == ALL


@pytest.mark.parametrize(
    ("body", "cached"),
    [
        ("swarm.exec { 'true' }", []),
        ("swarm.fs.write('written', 'x')", []),
        ("local v = swarm.env('WANTED')", []),
        ("swarm.call(function() swarm.exec { 'true' } end)", []),
    ],
)
def test_what_did_more_than_lua_is_used_again_only_where_its_worker_says_so(
    body: str, cached: list[int]
) -> None:
    write(body)
    assert ran("--reuse") == ALL
    assert ran("--reuse") == ([] if "swarm.env" in body else ALL)
    write(body, cache="cache = true,")
    assert ran() == ALL
    assert ran() == cached
    write(body, cache="cache = false,")
    assert ran("--reuse") == ran("--reuse") == ALL


def test_a_variable_that_was_read_has_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    write("local v = swarm.env('WANTED')")
    assert ran("--reuse") == ALL
    monkeypatch.setenv("WANTED", "now it is there")
    assert ran("--reuse") == ALL
    assert ran("--reuse") == []


@pytest.mark.parametrize(
    "rest",
    [
        "local jobs = swarm.channel(100) function use() jobs:send(1) jobs:recv() end",
        "local all = swarm.state('all', { n = 0 }) function use() all.n = all.n + 1 end",
        "function use() swarm.set_data('x', 1) end",
    ],
    ids=["channel", "state", "data"],
)
def test_what_used_something_of_others_is_not_used_again(rest: str) -> None:
    write("use()", rest=rest)
    assert ran("--reuse") == ALL
    assert ran("--reuse") == ALL


def test_a_helper_a_global_or_a_worker_below_has_changed() -> None:
    text = """
    local factor = 1
    local function helper(x) return x * factor end
    function named(x) return helper(x) + 1 end
    swarm.worker "below" { run = function(_, x) print("below") return x + 1 end }
    swarm.worker "above" {
      run = function(_, x) print("above") return swarm.call("below", named(x)) end,
    }
    swarm.main(function() return swarm.call("above", 1) end)
    """

    def lines() -> list[str]:
        done = run("--reuse", "script.lua")
        assert done.returncode == 0, done.stderr
        return done.stdout.decode().split()

    script(Path(), text)
    assert lines() == ["above", "below", "3"]
    assert lines() == ["3"]
    script(Path(), text.replace("factor = 1", "factor = 2"))
    assert lines()[0] == "above"
    script(Path(), text.replace("x + 1 end }", "x + 2 end }"))
    assert lines() == ["above", "below", "4"]


def test_a_file_that_a_worker_below_read_has_changed() -> None:
    text = """
    swarm.worker "below" { run = function(_, x) print("below") return swarm.fs.read("f") end }
    swarm.worker "above" { run = function(_, x) print("above") return swarm.call("below", x) end }
    swarm.main(function() return swarm.call("above", 1) end)
    """
    script(Path(), text)
    for content, expected in (("1", "above below 1"), ("1", "1"), ("2", "above below 2")):
        Path("f").write_text(content)
        assert run("--reuse", "script.lua").stdout.decode().split() == expected.split()


def test_artifacts_come_with_a_result_and_usage_does_not() -> None:
    text = """
    swarm.worker "w" {
      cache = true,
      run = function(ctx)
        ctx:artifact("a", "content") ctx:usage { tokens = 5 }
        return 1
      end,
    }
    swarm.main(function()
      local h = swarm.spawn("w")
      swarm.join(h)
      return { h:artifact("a"), h.usage.tokens or 0 }
    end)
    """
    script(Path(), text)
    assert run("script.lua").stdout == b'["content",5]\n'
    assert run("script.lua").stdout == b'["content",0]\n'


def test_where_results_cannot_be_kept_all_runs(tmp_path: Path) -> None:
    write(cache="cache = true,")
    Path("state/swarm-host").mkdir(parents=True)
    Path("state/swarm-host/results-1.sqlite").write_text("no database\n" * 500)
    assert ran("--no-journal") == ran("--no-journal") == ALL
