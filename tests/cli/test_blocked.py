"""Tasks that ended blocked are told of at the end of a run, and may have it fail."""

from __future__ import annotations

from pathlib import Path

import pytest

from swarm_host.host import Host
from swarm_host.options import Options
from tests.support.command_line import run, script

REVIEWS = """
swarm.worker "review" {
  label = "{input.path}",
  run = function(ctx, input) return 1, input.why end,
}
swarm.main(function(args)
  for i = 1, tonumber(args[1]) do
    swarm.call("review", { path = i .. ".md", why = args[2] })
  end
  return "done", args[3]
end)
"""


def test_they_are_listed_with_their_reasons(tmp_path: Path) -> None:
    done = run(script(tmp_path, REVIEWS), "2", "nobody signed\nit")
    assert done.returncode == 0
    assert done.stdout == b"done\n"
    assert done.stderr.decode() == (
        "2 tasks ended blocked:\n"
        '  worker "review" [1.md] (T-2): nobody signed\n    it\n'
        '  worker "review" [2.md] (T-3): nobody signed\n    it\n'
    )


def test_nothing_is_said_where_there_are_none(tmp_path: Path) -> None:
    assert run(script(tmp_path, REVIEWS), "3").stderr == b""
    assert run("--blocked=fail", script(tmp_path, REVIEWS), "3").returncode == 0


def test_twenty_are_told_and_the_rest_is_counted(tmp_path: Path) -> None:
    lines = run(script(tmp_path, REVIEWS), "23", "why").stderr.decode().splitlines()
    assert lines[0] == "23 tasks ended blocked:"
    assert lines[20] == '  worker "review" [20.md] (T-21): why'
    assert lines[21:] == ["  and 3 more"]


@pytest.mark.parametrize("many", ["1", "20", "21"])
def test_main_is_not_among_them(tmp_path: Path, many: str) -> None:
    done = run(script(tmp_path, REVIEWS), many, "why", "main's own")
    assert done.returncode == 3
    lines = done.stderr.decode().splitlines()
    assert lines[0].startswith(f"{many} task")
    assert "main" not in "".join(lines[:-1])
    assert lines[-1] == "blocked: main's own"
    alone = run(script(tmp_path, REVIEWS), "0", "why", "main's own")
    assert alone.stderr == b"blocked: main's own\n"


def test_they_are_told_of_beside_what_failed(tmp_path: Path) -> None:
    text = REVIEWS.replace('return "done", args[3]', "error 'no'")
    done = run(script(tmp_path, text), "1", "why")
    assert done.returncode == 1
    said = done.stderr.decode()
    assert '  worker "review" [1.md] (T-2): why\n' in said
    assert "error: " in said


def test_a_task_that_is_tried_again_counts_by_its_last_attempt(tmp_path: Path) -> None:
    text = """
    swarm.worker "later" {
      retries = { max = 2, backoff = 0, on = "blocked" },
      run = function(ctx, last) return 1, ctx.attempt < last and "not yet" or nil end,
    }
    swarm.main(function() swarm.call("later", 2) swarm.call("later", 9) end)
    """
    lines = run(script(tmp_path, text)).stderr.decode().splitlines()
    assert lines == [
        "1 task ended blocked:",
        '  worker "later" [9] (T-4): not yet (after 3 attempts)',
        "1 task was tried again:",
        '  worker "later" [2] (T-2): passed at attempt 2, after: blocked: not yet',
    ]


def test_such_a_run_fails_where_that_is_asked_for(tmp_path: Path) -> None:
    done = run("--blocked=fail", "--quiet", script(tmp_path, REVIEWS), "2", "why")
    assert done.returncode == 1
    assert done.stdout == b"done\n"
    assert done.stderr.decode() == (
        "2 tasks ended blocked:\n"
        '  worker "review" [1.md] (T-2): why\n'
        '  worker "review" [2.md] (T-3): why\n'
        "error: 2 tasks ended blocked\n"
    )
    done = run("--blocked=fail", script(tmp_path, REVIEWS), "1", "why", "main's own")
    assert done.returncode == 1
    assert 'worker "main" (T-1) blocked: main\'s own' in done.stderr.decode()


FAILS_BESIDE_MAIN = {
    "a detached worker": """
    swarm.worker "late" { run = function() error "no" end }
    swarm.main(function() swarm.spawn("late", nil, { detached = true }) return { report = 1 } end)
    """,
    "a settled hook": """
    swarm.settled("main", function() error "no" end)
    swarm.main(function() return { report = 1 } end)
    """,
    "a blocked task": """
    swarm.worker "x" { command = { "false" }, exit = "blocked" }
    swarm.main(function() swarm.call "x" return { report = 1 } end)
    """,
}


@pytest.mark.parametrize("what", FAILS_BESIDE_MAIN)
@pytest.mark.parametrize("words", [[], ["--json"]])
def test_what_main_returned_is_told_whatever_fails_the_run(
    tmp_path: Path, what: str, words: list[str]
) -> None:
    done = run("--blocked=fail", *words, script(tmp_path, FAILS_BESIDE_MAIN[what]))
    assert done.returncode == 1
    assert done.stdout == b'{"report":1}\n'
    assert b"error: " in done.stderr
    nothing = script(tmp_path, FAILS_BESIDE_MAIN[what].replace("return { report = 1 }", ""))
    assert run("--blocked=fail", *words, nothing).stdout == (b"null\n" if words else b"")


def test_quiet_keeps_the_list_to_itself(tmp_path: Path) -> None:
    assert run("--quiet", script(tmp_path, REVIEWS), "1", "why").stderr == b""
    assert run("--blocked=warn", script(tmp_path, REVIEWS), "1", "why").returncode == 0


def test_another_word_is_refused(tmp_path: Path) -> None:
    assert run("--blocked=ignore", script(tmp_path, REVIEWS), "1").returncode == 2


@pytest.mark.anyio
async def test_a_host_tells_and_each_run_counts_anew(tmp_path: Path) -> None:
    path = script(tmp_path, REVIEWS)
    options = Options(args=["1", "why"], blocked="fail")
    async with Host.load(path, options) as host:
        for _ in range(2):
            outcome = await host.run(again=True)
            assert outcome.status == "failed"
            assert outcome.error is not None
            assert outcome.error["code"] == "blocked"
            assert outcome.value == "done"
            assert outcome.main is not None
            assert outcome.main.status == "pass"
            told = host.summary()["blocked"]
            assert told["many"] == 1
            assert told["tasks"][0].pop("task_id").startswith("T-")
            assert told["tasks"] == [{"name": "review", "label": "1.md", "reason": "why"}]
