"""Messages that cost much: they are refused before they are read, or wait for the run."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from swarm_host.serving import reading
from swarm_host.serving.reading import MOST_VALUES, NoMessage, Reader

pytestmark = pytest.mark.anyio

MANY = MOST_VALUES + 1


@pytest.mark.parametrize(
    "line",
    [
        b"[" + b"1," * MANY + b"1]",
        b"[" + (b"[" * 90 + b"]" * 90 + b",") * (MANY // 90) + b"1]",
        b"[" + b'{"a":1},' * MANY + b"1]",
        b"[" + b'"",' * MANY + b"1]",
        b"[" + rb'"\\",' * MANY + b"1]",
        b"[" + b'"",' * 5 * MANY + b"1]",
    ],
)
async def test_more_values_than_a_message_has_are_not_read(
    line: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(json, "loads")
    with pytest.raises(NoMessage, match="at most 250000 values"):
        await Reader().read(line)


@pytest.mark.parametrize(
    "value",
    [
        list(range(MOST_VALUES - 1)),
        {f"k{number}": "," for number in range(MOST_VALUES - 1)},
        '{"a": [1, 2, {}]}\n' * 200_000,
        "\\" * 1_000_000 + '","' * 500_000,
    ],
)
async def test_a_text_of_any_marks_is_one_value(value: Any) -> None:
    assert await Reader().read(json.dumps(value).encode()) == value


async def test_what_took_long_is_the_runs_before_the_next_message() -> None:
    reader, line = Reader(), json.dumps("x" * 15_000_000).encode()
    began = time.monotonic()
    await reader.read(line)
    took = time.monotonic() - began
    await reader.read(b"1")
    assert time.monotonic() - began >= took + reading.SHARE * took / 2
