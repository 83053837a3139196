"""A question as the prompt shows it, what may be typed, and how."""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import Any

import pytest

from swarm_host.view.cells import width_of
from swarm_host.view.prompt.keyboard import Line, Typed
from swarm_host.view.prompt.wording import (
    MOST_SHOWN,
    Look,
    Unfit,
    answer_of,
    context_of,
    frame_of,
    shown_of,
)


def question(text: str = "Go?", **fields: Any) -> dict[str, Any]:
    """As ``Host.pending`` gives one."""
    known = {"key": "T-2.1", "name": "deploy", "task_id": "T-2", "to": "main", "since": 0.0}
    return {**known, "question": text, **fields}


@pytest.mark.parametrize(
    ("choices", "said", "answer"),
    [
        (["yes", "no"], "yes", "yes"),
        (["yes", "no"], " y ", "yes"),
        (["yes", "no"], "NO", "no"),
        (["yes", "no"], "2", "no"),
        (["no", "not now"], "no", "no"),
        (["no", "not now"], "not", "not now"),
        (["Yes", "yes please"], "yes", "yes please"),
        (["10", "2", "1"], "2", "2"),
        (["10", "2", "1"], "1", "1"),
        (["?", "!e"], "?", "?"),
    ],
)
def test_a_choice_is_meant_by(choices: list[str], said: str, answer: str) -> None:
    assert answer_of(question(choices=choices), said) == answer


@pytest.mark.parametrize(
    ("fields", "said", "why"),
    [
        ({"choices": ["yes", "no"]}, "perhaps", "the answer is one of yes, no"),
        ({"choices": ["yes", "no"]}, "3", "the answer is one of yes, no"),
        ({"choices": ["yes", "no"]}, "0", "the answer is one of yes, no"),
        ({"choices": ["stay", "stop", "go"]}, "st", "st could be any of stay, stop"),
        ({"choices": ["10", "2", "11"]}, "1", "1 could be any of 10, 11"),
        ({}, "  ", "an answer is needed; Ctrl-D leaves the question to others"),
        ({"schema": {}}, "{", "the answer is to be JSON: "),
        ({"schema": {}}, "NaN", "the answer is to be JSON: NaN is not JSON"),
        ({"schema": {}}, "[" * 100_000, "the answer is nested too deep"),
    ],
)
def test_what_is_no_answer_is_told(fields: dict[str, Any], said: str, why: str) -> None:
    with pytest.raises(Unfit) as raised:
        answer_of(question(**fields), said)
    assert str(raised.value).startswith(why)


def test_an_empty_line_is_the_default_and_a_text_is_taken_as_it_is() -> None:
    assert answer_of(question(default={"a": 1}, schema={}), "") == {"a": 1}
    assert answer_of(question(), "  two  words ") == "  two  words "


TEXTS = [
    "",
    "a\tb",
    "漢字" * 200,
    "word " * 400,
    "x" * 5000,
    "l\n" * 300,
    "👩‍👩‍👧é" * 50,
    "\x1b[2J\r",
]


def test_a_frame_fits_wherever_it_stands() -> None:
    by = random.Random(1)
    for _ in range(400):
        look = Look(by.randint(1, 120), by.randint(2, 50))
        fields: dict[str, Any] = {}
        if by.random() < 0.5:
            fields["choices"] = [f"{by.choice(TEXTS)}{n}" for n in range(by.choice([1, 3, 500]))]
        if by.random() < 0.5:
            fields["details"] = {"tool": by.choice(TEXTS), "diff": by.choice(TEXTS), "n": [1]}
        asked = question(by.choice(TEXTS) + "?", label=by.choice(TEXTS), **fields)
        frame = frame_of(asked, by.choice(TEXTS), by.choice(["", "7"]), by.choice(["", "no"]), look)
        assert len(frame) <= max(look.lines - 1, 4), (asked, look, frame)
        assert max(map(width_of, frame)) <= max(look.columns, 3), (asked, look, frame)
        assert all("\n" not in line and "\x1b" not in line for line in frame)


def test_what_is_left_out_is_counted() -> None:
    shown = "\n".join(map(str, range(100)))
    frame = frame_of(question(choices=["a", "b"]), shown, "", "", Look(60, 12))
    beside = [line for line in frame if line.startswith("│")]
    assert beside == [*(f"│ {n}" for n in range(6)), "│ … 94 more lines: ? shows them"]
    context = context_of(question(choices=["a", "b"]), shown, None)
    assert context.count("\n") > 100
    context = context_of(question("x\n" * 10**6), "y" * 10**6, None)
    assert len(context) < 300_000
    assert "… 999500 more lines\n" in context
    assert context.endswith("… and more")


def test_numbers_stand_only_where_they_mean_a_place() -> None:
    look = Look(60, 20)
    assert "1) a  2) b" in frame_of(question(choices=["a", "b"]), "", "", "", look)
    assert "- 2  - 1" in frame_of(question(choices=["2", "1"]), "", "", "", look)


def test_a_file_is_read_and_what_is_none_is_told(tmp_path: Path) -> None:
    def shown(path: Path | str) -> str:
        return shown_of(question(show={"kind": "file_ref", "path": str(path)}))

    (tmp_path / "text").write_bytes(b"one\xff\ntwo")
    assert shown(tmp_path / "text") == "one�\ntwo"
    (tmp_path / "large").write_bytes(b"x" * (MOST_SHOWN + 1))
    assert shown(tmp_path / "large").endswith(f"\n(the first 256 KiB of {tmp_path / 'large'})")
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path, "/dev/zero"):
        assert shown(path) == f"({path} is no file)"
    missing = tmp_path / "missing"
    assert shown(missing) == f"({missing} cannot be read: no such file or directory)"
    assert shown("a\0b") == "(a\0b cannot be read: embedded null byte)"
    assert shown_of(question(show="a text")) == "a text"
    assert shown_of(question()) == ""


@pytest.mark.parametrize(
    ("typed", "line"),
    [
        ([b"yes\n"], "yes"),
        ([b"y", b"e", b"s\r"], "yes"),
        ([b"\xe2", b"\x82\xac\n"], "€"),
        ([b"ab\x7f\x08c\n"], "c"),
        ([b"one two \x17three\n"], "one three"),
        ([b"one\x15two\n"], "two"),
        ([b"a\x1b[D\x1b[1;5Cb\x1bOAc\x1bxd\n"], "abcd"),
        ([b"a\x1b", b"[", b"3~b\n"], "ab"),
        ([b"a\x00\x07\tb\n"], "ab"),
        ([b"a\xffb\n"], "a�b"),
        ([b"a\x04b\n"], "ab"),
        ([b"\x04"], None),
        ([b"first\nsecond\n"], "first"),
    ],
)
def test_keys_make_a_line(typed: list[bytes], line: str | None) -> None:
    keys = Line()
    assert [keys.feed(data) for data in typed] == [*[None] * (len(typed) - 1), Typed(line)]
