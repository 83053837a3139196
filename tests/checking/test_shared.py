"""A mistake in a table that several definitions share is told once, where it stands."""

from __future__ import annotations

from pathlib import Path

import anyio

from swarm_host.checking.reading import check
from tests.checking.finding import found_in, loaded, places

SHARED = 'local ENV = {\n  HOME = "/",\n  KEY = "a {tokn}",\n}\n'
USES = "".join(f'swarm.worker "w{n}" {{ command = {{ "cat" }}, env = ENV }}\n' for n in range(19))
SAID = "env.KEY: {tokn} is no placeholder; did you mean {token}? To write it as it is, {{tokn}}"


def told(folder: Path, text: str) -> list[tuple[str, str]]:
    """Where each finding is, and what it says."""
    findings = found_in(folder, text)
    return list(zip(places(findings), [one.message for one in findings], strict=True))


def test_it_counts_those_that_have_it(tmp_path: Path) -> None:
    message = f'worker "w0": {SAID} (in 19 workers: w0, w1, w2, …)'
    assert told(tmp_path, SHARED + USES) == [("definition 3:12", message)]


def test_one_that_has_it_is_told_where_it_stands(tmp_path: Path) -> None:
    one = USES.splitlines()[0]
    assert told(tmp_path, SHARED + one) == [("definition 3:12", f'worker "w0": {SAID}')]


def test_a_local_may_stand_for_another(tmp_path: Path) -> None:
    text = SHARED + 'local KEYS = ENV\nswarm.worker "a" { command = { "cat" }, env = KEYS }\n'
    assert told(tmp_path, text) == [("definition 3:12", f'worker "a": {SAID}')]


def test_two_tables_are_two(tmp_path: Path) -> None:
    other = SHARED.replace("ENV", "OTHER")
    text = SHARED + other + USES + USES.replace('"w', '"v').replace("ENV", "OTHER")
    assert [place for place, _ in told(tmp_path, text)] == ["definition 3:12", "definition 7:12"]


def test_what_each_has_written_itself_is_told_of_each(tmp_path: Path) -> None:
    text = "".join(
        f'swarm.worker "w{n}" {{ command = {{ "cat" }}, env = {{ KEY = "{{tokn}}" }} }}\n'
        for n in range(2)
    )
    assert told(tmp_path, text) == [
        ("definition 1:50", f'worker "w0": {SAID}'),
        ("definition 2:50", f'worker "w1": {SAID}'),
    ]


def test_a_loop_is_one_place(tmp_path: Path) -> None:
    text = """for n = 1, 5 do
      swarm.worker("w" .. n, { command = { "cat", "{tokn}" } })
    end"""
    (one,) = told(tmp_path, text)
    assert one[0] == "definition 2:51"
    assert one[1].endswith("(in 5 workers: w1, w2, w3, …)")


def test_a_table_of_a_module_is_told_at_the_first_that_has_it(tmp_path: Path) -> None:
    (tmp_path / "shared.lua").write_text(SHARED + "return { ENV = ENV }\n")
    text = 'local shared = require "shared"\n' + USES.replace("ENV", "shared.ENV")
    message = f'worker "w0": {SAID} (in 19 workers: w0, w1, w2, …)'
    assert told(tmp_path, text) == [("definition 2:42", message)]


def test_what_a_call_gives_is_told_at_the_first_that_has_it(tmp_path: Path) -> None:
    made = "local function made() return " + SHARED.partition(" = ")[2].strip() + " end\n"
    ((place, message),) = told(tmp_path, made + USES.replace("ENV", "made()"))
    assert place == "definition 5:42"
    assert message.endswith("(in 19 workers: w0, w1, w2, …)")


def test_other_mistakes_are_told_once_too(tmp_path: Path) -> None:
    text = "local LIMITS = { memry = 5 }\n" + USES.replace("env = ENV", "limits = LIMITS")
    ((place, message),) = told(tmp_path, text)
    assert place == "definition 1:16"
    assert message.startswith('worker "w0": limits of a process worker are ')
    assert message.endswith("(in 19 workers: w0, w1, w2, …)")


def test_a_script_that_is_not_read_has_it_once_at_the_first(tmp_path: Path) -> None:
    path = tmp_path / "script.lua"
    path.write_text(SHARED + USES)
    findings = check(str(path), (), anyio.run(loaded, path, ()), reads=False)
    assert places(findings) == ["definition 5:42"]
    assert findings[0].message.endswith("(in 19 workers: w0, w1, w2, …)")
