"""``swarm-host spawn``: what a worker is given from outside."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.serving.running import Listening, listening

ECHO = """
swarm.worker "echo" { run = function(_, value)
  return type(value) .. " " .. swarm.inspect(value)
end }
"""


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Listening]:
    with listening(tmp_path_factory.mktemp("serving"), ECHO, "serve") as run:
        yield run


@pytest.mark.parametrize(
    ("given", "value"),
    [
        ("21", "number 21"),
        ("1e400", 'string "1e400"'),
        ("NaN", 'string "NaN"'),
        ("true", "boolean true"),
        ("null", "nil nil"),
        ("", 'string ""'),
        ("main.c", 'string "main.c"'),
        ('"21"', 'string "21"'),
        (' {"a": [1]}', "table { a = { 1 } }"),
        ("two words, [and more]", 'string "two words, [and more]"'),
    ],
)
@pytest.mark.parametrize("way", ["word", "file", "stdin"])
def test_input_is_json_or_a_text(
    serving: Listening, tmp_path: Path, way: str, given: str, value: str
) -> None:
    file = tmp_path / "input"
    file.write_text(given)
    word = {"word": given, "file": f"@{file}", "stdin": "-"}[way]
    done = serving.done("spawn", "last", "echo", word, stdin=given)
    assert done.stderr == ""
    assert serving.say("join", "last", done.stdout.strip()) == f"{value}\n"


@pytest.mark.parametrize("given", ["[a.md](b)", "{", "21"])
def test_with_text_it_is_one(serving: Listening, given: str) -> None:
    done = serving.done("spawn", "last", "echo", "--text", "-", stdin=given)
    assert serving.say("join", "last", done.stdout.strip()) == f'string "{given}"\n'


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ['{"a":}'],
            "INPUT: not JSON: expecting value at line 1, column 6 near '}'; got '{\"a\":}'",
        ),
        (["[NaN]"], "INPUT: NaN is not JSON"),
        (["[" * 5000], "INPUT: it is nested more than 100 levels deep"),
        (["@nowhere"], "INPUT @nowhere: cannot read it: no such file or directory"),
        (["1", "--timeout", "0"], "0.0 is not in the range 0<x"),
        (["1", "--timeout", "soon"], "'soon' is not a valid number"),
    ],
)
def test_what_cannot_be_meant_is_refused(serving: Listening, words: list[str], said: str) -> None:
    done = serving.done("spawn", "last", "echo", *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    if "not JSON" in said:
        assert done.stderr.endswith("that begins with { or [ is JSON: with --text it is a text\n")
