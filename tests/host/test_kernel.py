"""The door to Lua: each function has a method, and all answer in the same way."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from swarm_host import SwarmError
from swarm_host.options import Options
from swarm_host.vm.kernel import Kernel
from swarm_host.vm.turn import read_turn

DOOR = Path(__file__).resolve().parents[2] / "lua" / "swarm" / "doors" / "python.lua"


@pytest.fixture
def kernel() -> Kernel:
    kernel = Kernel()
    kernel.boot(
        Options().for_lua("run", "0", ()), lambda out, log: None, lambda status, events: None
    )
    return kernel


def test_each_function_of_lua_has_a_method_and_the_other_way_round() -> None:
    text = DOOR.read_text()
    table = text[text.index("local kernel = {") : text.index("\n}\n")]
    offered = set(re.findall(r"^  (\w+) = ", table, re.MULTILINE))
    offered |= set(re.findall(r"^function kernel\.(\w+)", text, re.MULTILINE))
    methods = {name for name, _ in inspect.getmembers(Kernel, inspect.isfunction)}
    assert offered == {name for name in methods if not name.startswith("_")}
    assert len(offered) > 30


def test_whatever_fails_in_lua_is_an_error_with_its_fields(kernel: Kernel) -> None:
    with pytest.raises(SwarmError) as nobody:
        kernel.status(17)
    assert nobody.value.error["code"] == "internal"
    assert "nil" in nobody.value.error["message"]


def test_nothing_to_take_is_empty(kernel: Kernel) -> None:
    assert kernel.take_request() is None
    assert kernel.take_settled() == kernel.take_cancels() == ()
    assert kernel.take_said() == (b"", b"", b"")


def test_a_step_says_what_it_left(kernel: Kernel) -> None:
    step = kernel.step(0.001)
    assert not step.more
    assert step.wait is None
    kernel.load(b"nowhere.lua", b"")
    assert kernel.step(0.001).requests
    request = kernel.take_request()
    assert request is not None
    assert request.port == "files"
    kernel.deliver(request.id, False, b'{"code": "io_error", "message": "not there"}', ())
    assert kernel.step(0.001).settles
    (worker,) = kernel.take_settled()
    assert kernel.status(worker) == "failed"


def test_whose_turn_it_is_is_read_without_proc_too(
    kernel: Kernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = kernel.turn_address()
    seen = read_turn(address)

    def is_absent(*_: object) -> int:
        raise FileNotFoundError

    monkeypatch.setattr("swarm_host.vm.turn.os.open", is_absent)
    assert read_turn(address) == seen
