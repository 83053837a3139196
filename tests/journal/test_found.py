"""What attacks on the journal and its first users found, each as it was met."""

from __future__ import annotations

import json
import signal
import sqlite3
from pathlib import Path

import pytest

from tests.journal.test_again import END, broken_off, killed, lines, resumed
from tests.support.command_line import popen, run, script
from tests.support.waiting import hold, wait_for


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


VALUES = """
local VALUES = {
  "false", "0", "''", "swarm.null", "1e308", "-0", "2 ^ 53 + 2", "0.1", "{}", "{ {} }",
  "swarm.array {}", "swarm.object {}", "swarm.array { false }", "swarm.object { x = false }",
  "{ ok = swarm.array { true, false } }", "swarm.array { 1, 'a' }", "{ '\\255', '\\0' }",
  "{ ['\\255'] = 1, ['$bytes'] = '00' }", "swarm.file('a.txt', 'text/plain')",
  "{ swarm.array { swarm.object { a = swarm.array { {} } } } }",
}
local function made(text)
  return assert(load("return " .. text))()
end
"""


def test_values_are_to_the_last_item_what_they_were() -> None:
    broken_off(
        VALUES
        + """
        swarm.worker "w" { run = function(_, text)
          swarm.fs.append("ran", "w ")
          return made(text)
        end }
        swarm.main(function()
          local wrong = swarm.array {}
          for _, text in ipairs(VALUES) do
            local value, recorded = swarm.call("w", text), swarm.recorded(text, function()
              return made(text)
            end)
            local function shown(v)
              return type(v) .. tostring(swarm.inspect(v)) .. tostring(getmetatable(v))
            end
            if shown(value) ~= shown(made(text)) or shown(recorded) ~= shown(made(text)) then
              wrong[#wrong + 1] = text
            end
          end
        """
        + END
        + "return wrong end)"
    )
    count = len(lines())
    assert count > 15
    assert resumed() == []
    assert len(lines()) == count


def test_keys_of_any_bytes_are_told_apart() -> None:
    broken_off(
        """
        local KEYS = {
          "a\\n", "a ", "a\\0b", "a b", "a\\31b", "\\255", "\\254", '"a"', " a", "a\\127",
        }
        swarm.worker "w" { run = function(_, i) swarm.fs.append("ran", "w ") return i end }
        swarm.main(function()
          local out = {}
          for i, key in ipairs(KEYS) do
            local h = swarm.spawn("w", i, { key = key })
            out[i] = { swarm.result(h), swarm.recorded(key, function() return i end) }
          end
        """
        + END
        + "return out end)"
    )
    assert resumed() == [[i, i] for i in range(1, 11)]
    assert lines() == ["w"] * 10
    text = 'swarm.worker "w" { run = print } swarm.main(function() CALL end)'
    for call in (
        'swarm.spawn("w", 1, { key = ("x"):rep(1001) })',
        'swarm.recorded(("x"):rep(1001), print)',
    ):
        assert b"at most 1000 bytes" in run(script(Path(), text.replace("CALL", call))).stderr


def test_a_node_of_a_graph_is_known_by_what_it_was_given() -> None:
    text = """
    swarm.worker "build" { run = function(_, i) swarm.fs.append("ran", i.f .. " ") return i.f end }
    swarm.worker "link" { run = function(ctx) return "linked " .. ctx.needs.build end }
    swarm.main(function()
      local out = {}
      local all = swarm.fs.exists("mended") and { "zero", "one", "two" } or { "one", "two" }
      for i, f in ipairs(all) do
        local made = swarm.graph {
          build = { "build", { f = f } }, link = { "link", needs = { "build" } },
        }
        out[i] = made.link
      end
    """
    broken_off(text + END + "return out end)")
    Path("ran").unlink()
    assert resumed() == ["linked zero", "linked one", "linked two"]
    assert lines() == ["zero"]


def test_a_failure_that_swarm_retry_mended_is_not_met_again() -> None:
    broken_off(
        """
        swarm.worker "flaky" { run = function()
          local n = #(swarm.fs.exists("ran") and swarm.fs.read("ran") or "")
          swarm.fs.append("ran", "x")
          if n == 0 then error { code = "own", message = "at first" } end
          return "ok at " .. n
        end }
        swarm.main(function()
          local h = swarm.spawn("flaky")
          local ok, err = swarm.join(h)
          local code = err and err.code
          if not ok then swarm.retry(h) end
          local value = swarm.result(h)
        """
        + END
        + "return { ok or false, code, value } end)"
    )
    assert resumed() == [False, "own", "ok at 1"]
    assert lines() == ["xx"]
    shown = run("show", "./j").stdout.decode()
    assert "flaky  pass" in shown


def test_a_life_that_began_in_a_resume_leaves_the_one_before() -> None:
    killed(
        """
        swarm.worker "w" { run = function() swarm.fs.append("ran", "w ") return 1 end }
        swarm.main(function()
          local h = swarm.spawn("w")
          swarm.join(h)
          swarm.exec { "touch", "now" }
          if not swarm.fs.exists("mended") then swarm.sleep(600) end
          swarm.retry(h)
          swarm.join(h)
          if not swarm.fs.exists("more") then error("once more") end
          return "done"
        end)
        """
    )
    assert run("resume", "./j").returncode == 1
    Path("more").touch()
    assert resumed() == "done"
    assert lines() == ["w", "w"]


def test_a_rerun_that_was_killed_is_still_one() -> None:
    text = """
    swarm.worker "a" { run = function() swarm.fs.append("ran", "a ") return 1 end }
    swarm.worker "b" { run = function()
      swarm.fs.append("ran", "b ")
      swarm.exec { "touch", "now" }
      if swarm.fs.exists("slow") then swarm.sleep(600) end
    end }
    swarm.main(function() swarm.call("a") swarm.call("b") swarm.call("a") return "done" end)
    """
    assert run("--journal", "j", script(Path(), text)).stdout == b"done\n"
    Path("now").unlink()
    Path("slow").touch()
    with popen("rerun", "./j", "--from", "T-3") as process:
        wait_for(Path("now"))
        process.send_signal(signal.SIGKILL)
    Path("slow").unlink()
    assert resumed() == "done"
    assert lines() == ["a", "b", "a", "b", "b", "a"]


def test_a_script_that_a_resume_took_is_the_run_s() -> None:
    text = """
    swarm.worker "w" { run = function(_, n) swarm.fs.append("ran", n .. " ") end }
    swarm.main(function()
      for n = 1, COUNT do swarm.call("w", n) end
    """
    broken_off(text.replace("COUNT", "2") + END + "return 'A' end)")
    Path("mended").unlink()
    other = script(Path(), text.replace("COUNT", "3") + END + "return 'B' end)", "other.lua")
    assert run("resume", "./j", "--with", other).returncode == 1
    other.unlink()
    Path("mended").touch()
    assert resumed() == "B"
    more = script(Path(), text.replace("COUNT", "4") + "return 'C' end)", "more.lua")
    assert resumed("--with", str(more)) == "C"
    assert lines() == ["1", "2", "3", "4"]


def test_a_resume_that_only_computes_is_written_down() -> None:
    killed(
        """
        swarm.main(function()
          if not swarm.fs.exists("mended") then swarm.exec { "touch", "now" } swarm.sleep(600) end
          return 1
        end)
        """
    )
    text = "swarm.main(function() return 2 end)"
    assert resumed("--with", str(script(Path(), text, "quick.lua"))) == 2
    assert json.loads(run("runs", "--json").stdout or b"{}") is not None
    assert b"pass" in run("show", "./j").stdout.splitlines()[0]


def test_a_part_that_is_missing_ends_the_run() -> None:
    broken_off(
        """
        swarm.worker "w" { run = function()
          swarm.fs.append("ran", "w ") return ("x"):rep(100000)
        end }
        swarm.main(function() local n = #swarm.call("w")
        """
        + END
        + "return n end)"
    )
    [part] = Path("j.files").iterdir()
    kept = part.read_bytes()
    for content in (None, b"other"):
        part.unlink()
        if content is not None:
            part.write_bytes(content)
        done = run("resume", "./j")
        assert (done.returncode, done.stdout) == (1, b""), content
        assert part.name.encode() in done.stderr
        part.write_bytes(kept)
    assert resumed() == 100000
    assert lines() == ["w"]


def test_a_sleep_that_a_time_limit_cut_short_is_slept_again() -> None:
    broken_off(
        """
        swarm.worker "w" { run = function(_, how) swarm.fs.append("ran", how .. " ") end }
        swarm.main(function()
          local ok = pcall(swarm.timeout, 0.2, function() swarm.sleep(1) end)
          swarm.call("w", ok and "slept" or "late")
          swarm.exec { "sleep", "1" }
        """
        + END
        + "return true end)"
    )
    assert resumed() is True
    assert lines() == ["late"]


def test_results_of_others_making_do_nothing() -> None:
    text = """
    swarm.worker "w" { cache = true, run = function() swarm.fs.append("ran", "w ") return 1 end }
    swarm.main(function() return swarm.call("w") end)
    """
    assert run(script(Path(), text)).stdout == b"1\n"
    Path("victim").touch()
    place = Path("state/swarm-host/results-1.sqlite")
    with sqlite3.connect(place) as db:
        [(good,)] = db.execute("SELECT entry FROM results").fetchall()
    remove = {'files {"op":"remove","path":"victim"}': "x"}
    for entry in (
        json.dumps({**json.loads(good), "reads": remove}),
        "{", "5", "null", "{}", json.dumps({**json.loads(good), "value": " {\"$error\":[1,2]}"}),
    ):  # fmt: skip
        with sqlite3.connect(place) as db:
            db.execute("UPDATE results SET entry=?", (entry,))
        assert run("script.lua").stdout == b"1\n", entry
    assert Path("victim").exists()


def test_a_result_is_kept_once_its_task_has_passed() -> None:
    text = """
    swarm.worker "fails" { run = function() error("late") end }
    swarm.worker "w" { cache = true, run = function()
      swarm.fs.append("ran", "w ")
      swarm.spawn("fails")
      return "value"
    end }
    swarm.main(function() swarm.join(swarm.spawn("w")) end)
    """
    for _ in range(2):
        run(script(Path(), text))
    assert lines() == ["w", "w"]


def test_what_the_command_line_gave_is_a_part_of_a_result() -> None:
    text = """
    swarm.worker "w" { run = function() return swarm.args[1] end }
    swarm.main(function() return swarm.call("w") end)
    """
    path = script(Path(), text)
    assert [run("--reuse", path, arg).stdout for arg in "aab"] == [b"a\n", b"a\n", b"b\n"]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE meta SET value='{' WHERE key='wish'",
        "UPDATE meta SET value=NULL WHERE key='run_id'",
        "DELETE FROM meta",
        "DELETE FROM meta WHERE key='wish'",
        "UPDATE meta SET value='[]' WHERE key='wish'",
        "UPDATE tasks SET input=NULL",
        "UPDATE ends SET value='{'",
        "PRAGMA user_version=0",
        "PRAGMA user_version=-1",
        "ALTER TABLE kept RENAME TO k; CREATE VIEW kept AS SELECT * FROM k",
    ],
)
def test_a_journal_that_somebody_has_edited_is_told_of(statement: str) -> None:
    broken_off(
        'swarm.worker "w" { run = function() return { 1 } end }'
        'swarm.main(function() swarm.call("w")' + END + "return 1 end)"
    )
    with sqlite3.connect("j") as db:
        db.executescript(statement)
    done = run("resume", "./j")  # it sees to it that there is no traceback
    assert done.returncode in (1, 2), done.stderr
    assert b"internal" not in done.stderr, done.stderr


def test_the_command_line_tells_what_is_hidden_nowhere() -> None:
    broken_off(
        """
        swarm.worker "hid" { label = false, run = function() return 1 end }
        swarm.worker "seen" { run = function() return 1 end }
        swarm.main(function()
          swarm.call("hid", "hunter2") swarm.call("seen", { password = "hunter2" })
        """
        + END
        + "return 1 end)"
    )
    done = run("resume", "./j", "--explain")
    assert b"T-2 hid: not run again" in done.stderr
    assert b"hunter2" not in done.stderr


def test_more_budget_and_time_may_be_given_to_a_resume() -> None:
    text = """
    swarm.worker "w" { run = function(ctx, i) ctx:usage { tokens = 10 } return i end }
    swarm.main(function()
      swarm.exec { "true" }
      return #swarm.map("w", { 1, 2, 3, 4 }, { concurrency = 1 })
    end)
    """
    path = script(Path(), text)
    assert run("--journal", "j", "--budget", "tokens=20", path).returncode == 1
    assert run("resume", "./j").returncode == 1
    assert run("resume", "./j", "--budget", "tokens=100", "--timeout", "60").stdout == b"4\n"


def test_who_holds_the_file_for_a_while_ends_nothing() -> None:
    text = """
    swarm.main(function()
      swarm.exec { "touch", "now" }
      while not swarm.fs.exists("held") do swarm.sleep(0.01) end
      swarm.exec { "touch", "further" }
      return "done"
    end)
    """
    with popen("--journal", "j", script(Path(), text)) as process:
        wait_for(Path("now"))
        db = sqlite3.connect("j", isolation_level=None)
        db.execute("BEGIN IMMEDIATE")
        Path("held").touch()
        hold(lambda: process.poll() is None)
        assert not Path("further").exists()  # nothing begins that the journal does not know of
        db.execute("ROLLBACK")
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (0, b"done\n"), err


def test_what_began_in_a_resume_is_in_flight_at_the_next_kill() -> None:
    text = """
    swarm.worker "w" { on_resume = "fail", run = function()
      swarm.fs.append("ran", "w ")
      swarm.exec { "touch", "second" }
      swarm.sleep(600)
    end }
    swarm.main(function()
      swarm.exec { "touch", "now" }
      if not swarm.fs.exists("mended") then swarm.sleep(600) end
      local _, err = swarm.join(swarm.spawn("w"))
      return err.code
    end)
    """
    killed(text)
    with popen("resume", "./j") as process:
        wait_for(Path("second"))
        process.send_signal(signal.SIGKILL)
    assert resumed() == "interrupted"
    assert lines() == ["w"]
