"""The layer ``audit``: the attempts of single workers, in a file of their own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.audit.trails import head, of_type, rows, verified
from tests.support.command_line import run, script

SCRIPT = """
swarm.role "reader" { extends = "worker", deny = { "run_process" } }
swarm.worker "w" { role = "reader", label = "no {input}", layers = { { "audit", file = "trail" } },
  retries = { max = 1, backoff = 0 },
  run = function(ctx, n) if ctx.attempt == 1 then error("4711") end return n end }
swarm.worker "other" { run = function() end }
swarm.main(function() swarm.call("other") return swarm.call("w", 1) end)
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the test works."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_it_tells_of_attempts_and_how_each_ended(folder: Path) -> None:
    script(folder, SCRIPT)
    done = run("--no-journal", "script.lua")
    assert (done.returncode, done.stdout) == (0, b"1\n"), done
    trail = folder / "trail"
    found = verified(trail)
    assert (found["lines"], found["open"], found["head"]) == (6, None, head(done.stderr))
    begun, again = of_type(trail, "attempt_began")
    assert begun == {
        **{"type": "attempt_began", "task_id": "T-3", "attempt": 1, "parent": "T-1"},
        **{"name": "w", "label": "no 1", "role": "reader"},
    }
    assert again == begun | {"attempt": 2}
    failed, passed = of_type(trail, "attempt_ended")
    assert (failed["attempt"], failed["status"], failed["code"]) == (1, "failed", "failed")
    assert passed == {"type": "attempt_ended", "task_id": "T-3", "attempt": 2, "status": "pass"}
    assert rows(trail)[0]["script"] == str(folder / "script.lua")
    assert rows(trail)[-1]["status"] == "pass"
    assert "4711" not in trail.read_text()
    assert trail.stat().st_mode & 0o777 == 0o600
    assert run("--no-journal", "--quiet", "script.lua").returncode == 0
    assert verified(trail)["runs"] == 2


def test_a_run_with_an_audit_has_a_mark_in_that_and_no_other_file(folder: Path) -> None:
    script(folder, SCRIPT)
    assert run("--no-journal", "--audit", "own", "script.lua").returncode == 0
    assert not Path("trail").exists()
    assert of_type(folder / "own", "audited", "attempt_began", "attempt_ended") == [
        {"type": "audited", "task_id": "T-3", "attempt": attempt} for attempt in (1, 2)
    ]


def test_several_workers_write_one_file_or_files_of_their_own(folder: Path) -> None:
    text = """
    swarm.worker "a" { layers = { { "audit", file = "x" } }, run = function() end }
    swarm.worker "b" { layers = { { "audit", file = "./x" } }, run = function() end }
    swarm.worker "c" { layers = { { "audit", file = "y" } }, run = function() end }
    swarm.main(function() swarm.all { swarm.spawn "a", swarm.spawn "b", swarm.spawn "c" } end)
    """
    script(folder, text)
    assert run("--no-journal", "script.lua").returncode == 0
    names = [[row["name"] for row in of_type(folder / x, "attempt_began")] for x in ("x", "y")]
    assert names == [["a", "b"], ["c"]]
    assert verified(folder / "x")["lines"] == 6


@pytest.mark.parametrize(
    ("file", "why"),
    [
        ("folder", "cannot be begun: {0}/folder: it is a folder; name a file in it. The run has"),
        ("none/a", "cannot be begun: {0}/none/a: no such file or directory. The run has ended"),
        ("/dev/full", "/dev/full cannot be written: no space left on device. The run has ended"),
        ("text", "cannot be begun: {0}/text: it is there already, and no audit that could be"),
    ],
)
def test_a_file_that_cannot_be_written_ends_the_run_before_its_worker_does_anything(
    folder: Path, file: str, why: str
) -> None:
    Path("folder").mkdir()
    Path("text").write_text("text")
    text = f"""
    swarm.worker "w" {{ layers = {{ {{ "audit", file = "{file}" }} }},
      command = {{ "touch", "ran" }} }}
    swarm.main(function() pcall(swarm.call, "w") swarm.exec {{ "touch", "after" }} end)
    """
    script(folder, text)
    done = run("--no-journal", "script.lua")
    assert (done.returncode, done.stdout) == (1, b"")
    assert "error: the audit " + why.format(folder) in done.stderr.decode()
    assert not Path("ran").exists()
    assert not Path("after").exists()


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ("", b"file must be the path of a file, and is nil"),
        ("file = ''", b"file must be the path of a file, and is "),
        ("file = 5", b"file must be the path of a file, and is 5"),
        ("fle = 'a'", b'there is no option "fle"; did you mean file?'),
    ],
)
def test_wrong_options_are_load_errors(folder: Path, options: str, why: bytes) -> None:
    script(folder, f'swarm.use("audit", {{ {options} }}) swarm.main(function() end)')
    done = run("script.lua")
    assert done.returncode == 2
    assert b'layer "audit": ' in done.stderr
    assert why in done.stderr


def test_what_exploration_tries_out_is_not_written_down(folder: Path) -> None:
    text = """
    swarm.use("audit", { file = "trail" })
    swarm.worker "w" { run = function() swarm.yield() end }
    swarm.main(function() end)
    """
    script(folder, text, "app.lua")
    spec = """
    it("explores", function()
      local app = swarm.script "app.lua"
      explore(function() swarm.all { app:spawn "w", app:spawn "w" } end)
    end)
    """
    script(folder, spec, "app_spec.lua")
    done = run("test", "app_spec.lua")
    assert done.returncode == 0, done
    assert not Path("trail").exists()
