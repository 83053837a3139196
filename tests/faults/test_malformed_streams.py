"""Whatever a program writes as a stream, and however it is cut: no crash, no hang, nothing past its
cap, no secret, and the same items for every cut. The port and the Lua side are the real ones; the
program is played, so that thousands of them run in seconds."""

from __future__ import annotations

import itertools
import json
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio.from_thread import start_blocking_portal
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from swarm_host import Host
from swarm_host.ports.process import children
from swarm_host.ports.process.framing import Plain
from tests.faults.played import Stage

SCRIPT = Path(__file__).with_name("streams.lua")
SECRET = 'pass\\word"/\nsecond line'
CAPS = (16, 100, 1_048_576)
ROOM = 200
"""Bytes that an event has around what it holds."""
HANG_SECONDS = 30
TIMES = int(os.environ.get("MALFORMED_TIMES", "1"))
"""How many times as many examples are tried: 10 takes some minutes."""

Told = dict[str, Any]
Tell = Callable[[str, list[bytes]], Told]


@pytest.fixture(scope="module")
def tell() -> Iterator[Tell]:
    """What a worker came to whose program wrote these pieces."""
    plays: dict[bytes, list[bytes]] = {}
    numbers = itertools.count()
    with pytest.MonkeyPatch.context() as patch, start_blocking_portal() as portal:
        patch.setitem(os.environ, "MALFORMED_SECRET", SECRET)
        patch.setattr(children, "Children", lambda: Stage(plays))
        with portal.wrap_async_context_manager(Host.load(SCRIPT)) as host:

            async def ask(name: str, key: str) -> Any:
                with anyio.fail_after(HANG_SECONDS):
                    return await host.call("told", {"name": name, "key": key})

            def tell_one(name: str, pieces: list[bytes]) -> Told:
                key = str(next(numbers))
                plays[key.encode()] = pieces
                told: Told = portal.call(ask, name, key)
                del plays[key.encode()]
                return told

            yield tell_one


# What is written. ------------------------------------------------------------------------------

FIELDS = [
    *("type", "stage", "note", "chunk", "content", "name", "ok", "reason", "by", "kind", "value"),
    *("path", "mime", "seq", "at", "dropped", "tokens"),
]
EVENTS = st.dictionaries(
    st.sampled_from(FIELDS),
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats()
        | st.text(max_size=6)
        | st.sampled_from(["progress", "partial", "artifact", "usage", "final", "inline"])
        | st.just({"kind": "inline", "value": 1})
        | st.just({"kind": "file_ref", "path": "x"}),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
        max_leaves=5,
    ),
    max_size=5,
).map(lambda item: json.dumps(item).encode())

ODD = [
    *(b"\n", b"\r", b"\r\n", b"\n\n", b"\0", b"\xff", b"\xc3", b"\xef\xbb\xbf", b" ", b":", b"\\"),
    *(
        b"data:",
        b"data: ",
        b"data",
        b"event: x\n",
        b"event",
        b"id: 1\n",
        b"retry: 1\n",
        b"\n\ndata:1\n\n",
    ),
    *(b"null", b"true", b"1e400", b"-1e400", b"NaN", b"-0", b"9007199254740993", b"1" * 400),
    *(
        b'"\\ud800"',
        b'"\\u0000"',
        b'"\xed\xa0\x80"',
        b'"',
        b'{"a":',
        b"[" * 300,
        b"[" * 30000,
        b"{}",
    ),
    *(b"[[[1]]]", b"[" * 99 + b"]" * 99, b"[" * 200 + b"]" * 200, b"x" * 120, b"x" * 20),
    *(b'{"type":"final","ok":true,"content":{"kind":"inline","value":null}}\n',),
    *(b'{"type":"usage","tokens":"many"}\n', b'{"type":"usage","tokens":1e308}\n'),
    *(b'{"type":"partial","chunk":{"kind":"inline"}}\n', b'{"type":"progress","stage":"s"}\n'),
    *(b"\0\0\0\0", b"\0\0\0\1", b"\0\0\0\2{}", b"\0\0\0\4null", b"\xff\xff\xff\xff", b"\0\1\0\0"),
]
SECRETS = [SECRET.encode(), json.dumps(SECRET).encode(), json.dumps(json.dumps(SECRET)).encode()]
SECRETS += [SECRETS[0][:5], SECRETS[0][5:], SECRETS[1][:9], SECRETS[1][9:], b"second line"]
FRAMED = (EVENTS | st.sampled_from(ODD) | st.binary(max_size=30)).map(
    lambda body: len(body).to_bytes(4, "big") + body
)
PIECE = st.one_of(
    st.sampled_from(ODD), EVENTS, EVENTS.map(lambda e: e + b"\n"), FRAMED, st.binary(max_size=40)
)
STREAM = st.lists(PIECE, max_size=12).map(b"".join)
WITH_SECRETS = st.lists(st.sampled_from(SECRETS) | PIECE, min_size=1, max_size=10).map(b"".join)
FORMATS = st.sampled_from(["lines", "ndjson", "sse", "frames"])


def cut(data: bytes, places: list[int]) -> list[bytes]:
    """The data in pieces."""
    ends = sorted({place % (len(data) + 1) for place in places} | {0, len(data)})
    return [data[a:b] for a, b in itertools.pairwise(ends)]


PLACES = st.lists(st.integers(0, 2**20), max_size=12)


# What holds. -----------------------------------------------------------------------------------


def check(told: Told, cap: int) -> None:
    """What holds of every worker, whatever its program wrote."""
    assert told["status"] in ("pass", "blocked", "failed")
    assert (told["status"] == "failed") == (told.get("code") not in (None, "blocked"))
    assert told.get("code") in (None, "blocked", "process_failed"), told
    for event in told["tail"]:
        # A byte may be shown as an escape of four.
        assert len(event) <= 4 * (cap + ROOM), event
    if "message" in told:
        assert "swarm/" not in told["message"], told["message"]


@settings(max_examples=600 * TIMES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(FORMATS, st.sampled_from(CAPS), st.sampled_from(["", " last", " mapped"]), STREAM, PLACES)
@example("ndjson", 16, "", b"null\n", [])
@example("frames", 16, "", b"\xff\xff\xff\xff", [2])
@example("sse", 16, "", b"data: 1\r\n\r\n", [8])
def test_a_stream_is_the_same_however_it_is_cut(
    tell: Tell, form: str, cap: int, kind: str, data: bytes, places: list[int]
) -> None:
    name = f"{form} {cap}{'' if form == 'lines' else kind}"
    whole = tell(name, [data])
    check(whole, cap)
    assert tell(name, cut(data, places)) == whole


@settings(max_examples=400 * TIMES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(FORMATS, st.sampled_from(CAPS), WITH_SECRETS, PLACES)
def test_no_cut_lets_a_secret_through(
    tell: Tell, form: str, cap: int, data: bytes, places: list[int]
) -> None:
    name = f"{form} {cap} secret"
    whole = tell(name, [data])
    check(whole, cap)
    assert tell(name, cut(data, places)) == whole
    assert "second line" not in json.dumps(whole)  # a part of the secret, and a line of it


@settings(max_examples=150 * TIMES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.binary(max_size=150)), st.booleans(), PLACES)
def test_lines_are_those_that_were_written(
    tell: Tell, parts: list[bytes], ended: bool, places: list[int]
) -> None:
    data = b"\n".join(parts) + (b"\n" if ended and parts else b"")
    lines = data.removesuffix(b"\n").split(b"\n") if data else []
    wanted = [
        line if len(line) <= 100 else line[:100] + b" [%d bytes dropped]" % (len(line) - 100)
        for line in lines
    ]
    told = tell("lines 100", cut(data, places))
    assert told["status"] == "pass"
    assert len(told["tail"]) == len(wanted) + 1
    for event, line in zip(told["tail"], wanted, strict=False):
        if re.fullmatch(rb"[ !#-\[\]-~]*", line):
            assert f'value = "{line.decode()}"' in event


@settings(max_examples=150 * TIMES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(EVENTS | st.sampled_from([b"1", b"[]", b"{}", b""]), max_size=6), PLACES)
def test_frames_are_those_that_were_written(
    tell: Tell, items: list[bytes], places: list[int]
) -> None:
    data = b"".join(len(item).to_bytes(4, "big") + item for item in items)
    framed = tell("frames 1048576 last", cut(data, places))
    in_lines = tell("ndjson 1048576 last", [b"".join(item + b"\n" for item in items if item)])
    if b"" not in items:  # an empty line is none, and an empty frame is no JSON
        assert framed["tail"] == in_lines["tail"]
        assert framed.get("code") == in_lines.get("code")


ORDERS = st.sampled_from(
    [
        *(b"\x1b", b"\x1b[", b"[31m", b"\x1b[0;1", b"m", b"\x1b]", b"\x1b\\", b"\x07", b"0;title"),
        *(b"\x1bP", b"\x1b(", b"B", b"\x1bM", b"\xc3\xa9", b"\n", b"x" * 4090, b";" * 5000),
    ]
)


@settings(max_examples=2000 * TIMES, deadline=None)
@given(st.lists(ORDERS | st.binary(max_size=5), max_size=12).map(b"".join), PLACES)
def test_a_terminals_orders_are_the_same_however_they_are_cut(
    data: bytes, places: list[int]
) -> None:
    def plain(pieces: list[bytes]) -> bytes:
        filtered = Plain()
        return b"".join([filtered.feed(piece) for piece in pieces]) + filtered.feed(b"", last=True)

    assert plain(cut(data, places)) == plain([data])
