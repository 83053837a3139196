"""One connection: what is too slow, too long or too much ends it, and nothing else."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import anyio
import anyio.lowlevel
import pytest

from swarm_host.serving import connection as connections
from swarm_host.serving.connection import Connection, Room, Unfit

pytestmark = pytest.mark.anyio

Pair = tuple[Connection, socket.socket]


def pair_in(room: Room, *, is_awaited: bool = False) -> Pair:
    """A connection, and the other end of it."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    theirs.setblocking(False)
    return Connection(ours, room, lambda: is_awaited), theirs


@pytest.fixture
def room() -> Room:
    return Room()


@pytest.fixture
def pair(room: Room) -> Iterator[Pair]:
    one, other = pair_in(room)
    with one, other:
        yield one, other


async def test_lines_come_one_by_one(pair: Pair, room: Room) -> None:
    one, other = pair
    other.sendall(b"a\nb\n\nc")
    assert [await one.message() for _ in range(3)] == [b"a", b"b", b""]
    other.close()
    assert await one.message() is None


async def test_a_message_that_comes_a_byte_at_a_time_ends_it(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "MESSAGE_SECONDS", 0.1)
    one, other = pair

    async def drip() -> None:
        while True:
            other.send(b"x")
            await anyio.sleep(0.01)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(drip)
        with pytest.raises(Unfit, match="comes whole within"):
            await one.message()
        tasks.cancel_scope.cancel()


@pytest.mark.parametrize("is_awaited", [True, False])
async def test_who_says_nothing_gives_way_where_somebody_waits(
    room: Room, monkeypatch: pytest.MonkeyPatch, is_awaited: bool
) -> None:
    monkeypatch.setattr(connections, "IDLE_SECONDS", 0.01)
    one, other = pair_in(room, is_awaited=is_awaited)
    with one, other:
        if is_awaited:
            assert await one.message() is None
        else:
            with anyio.move_on_after(0.1) as limit:
                await one.message()
            assert limit.cancelled_caught


async def test_an_answer_that_nobody_reads_ends_it(
    pair: Pair, room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "MESSAGE_SECONDS", 0.1)
    with pytest.raises(OSError):  # noqa: PT011 - a timeout is one
        await pair[0].write(b"x" * 10_000_000)
    assert room.held == 0


async def test_who_has_much_under_way_is_refused_and_who_has_little_is_not(
    pair: Pair, room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "MOST_HELD", 500_000)
    one, other = pair

    async def send() -> None:
        left = memoryview(b"x" * 400_000)
        while left:
            try:
                left = left[other.send(left) :]
            except BlockingIOError:
                await anyio.wait_writable(other)

    second, far = pair_in(room)
    third, away = pair_in(room)
    with second, far, third, away:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(one.message)
            await send()
            with anyio.fail_after(10):
                while room.held < 300_000:
                    await anyio.lowlevel.checkpoint()
            with pytest.raises(Unfit, match="try again later"):
                await second.write(b"x" * 400_000)
            far.sendall(b"little\n")
            assert await second.message() == b"little"
            await second.write(b"little\n")
            tasks.cancel_scope.cancel()
    one.__exit__()
    assert room.held == 0


async def test_it_is_seen_that_the_other_end_hangs_up_behind_what_it_has_said(pair: Pair) -> None:
    one, other = pair
    other.sendall(b"more\n")
    with anyio.move_on_after(0.05) as limit:
        await one.hung_up()
    assert limit.cancelled_caught
    other.close()
    await one.hung_up()
    assert await one.message() == b"more"


async def test_a_reset_is_a_hang_up(pair: Pair) -> None:
    one, other = pair
    await one.write(b"never read\n")
    other.close()
    await one.hung_up()
