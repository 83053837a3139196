"""A port that others bring, called by a script: the example of spec/host/host.md, and its edges."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from swarm_host import SwarmError, WorkerFailed
from swarm_host.ports import Answer, Call, Port
from swarm_host.ports.registry import BUILT_IN
from tests.support.processes import loaded

PAGE = Path(__file__).resolve().parents[2] / "spec" / "host" / "host.md"


def block(language: str, holds: str) -> str:
    """The code of the page that holds some words."""
    blocks = re.findall(
        rf"^```{language}[^\n]*\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE
    )
    (found,) = [code for code in blocks if holds in code]
    return str(found)


@pytest.fixture
def weather() -> Port:
    names: dict[str, Any] = {}
    exec(block("python", "class Weather"), names)
    made: Port = names["Weather"]()
    return made


def test_the_example_of_the_page_runs(
    within: Callable[..., Any], tmp_path: Path, weather: Port
) -> None:
    async def main() -> None:
        script = block("lua", "swarm.port")
        async with loaded(tmp_path, script, ports={"weather": weather, "other": weather}) as host:
            assert await host.call("look", "Kyoto") == 21
            with pytest.raises(WorkerFailed, match="weather needs a city") as raised:
                await host.call("look")
            assert raised.value.error["code"] == "invalid_argument"

    within(30, main)


def test_a_package_brings_one_by_its_entry_point(
    within: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = tmp_path / "site"
    info = site / "forecast-1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: forecast\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[swarm_host.ports]\nweather = forecast:Weather\n")
    (site / "forecast.py").write_text(block("python", "class Weather"))
    monkeypatch.syspath_prepend(site)

    async def main() -> None:
        async with loaded(tmp_path, block("lua", "swarm.port")) as host:
            assert await host.call("look", "Kyoto") == 21

    within(30, main)


class Echo:
    """Answers with what it was given."""

    async def __call__(self, payload: dict[str, Any], call: Call) -> Answer:
        """Answers."""
        return Answer(value=payload, data=call.data)


ASKS = """
swarm.role "bounded" { extends = "worker", allow = { call_python = { "echo" } } }
swarm.role "without" { extends = "worker", deny = { "call_python" } }
local function asks(_, input) return swarm.port(input.port, input.payload) end
swarm.worker "free" { run = asks }
swarm.worker "bounded" { role = "bounded", run = asks }
swarm.worker "without" { role = "without", run = asks }
swarm.worker "bytes" { run = function()
  local value, data = swarm.port("echo", nil, "a\\0\\255")
  return value.x == nil and data == "a\\0\\255"
end }
swarm.worker "odd" { run = function() return swarm.port("\\255", {}) end }
swarm.worker "function" { run = function() return swarm.port("echo", { f = print }) end }
"""


def test_values_and_bytes_cross_both_ways(within: Callable[..., Any], tmp_path: Path) -> None:
    async def main() -> None:
        async with loaded(tmp_path, ASKS, ports={"echo": Echo()}) as host:
            payload = {"a": [1, {"b": None}], "empty": {}}
            assert await host.call("free", {"port": "echo", "payload": payload}) == payload
            assert await host.call("bounded", {"port": "echo"}) == {}
            assert await host.call("bytes") is True

    within(30, main)


@pytest.mark.parametrize(
    ("worker", "port", "payload", "code", "message"),
    [
        ("bounded", "other", {}, "role_violation", 'call_python, and "other" is out of bounds'),
        ("without", "echo", {}, "role_violation", "does not allow call_python"),
        ("free", "echo", [1], "invalid_argument", "takes an object"),
        ("free", "echo", "x", "invalid_argument", "takes a table after the name"),
        ("free", 7, {}, "invalid_argument", "takes the name of a port"),
        ("free", "nowhere", {}, "host_error", "no installed package brings a port"),
        ("function", "", {}, "invalid_value", "payload.f"),
        ("odd", "", {}, "invalid_value", "swarm.port's name is not UTF-8"),
        *(("free", name, {}, "invalid_argument", "use ") for name in BUILT_IN),
    ],
)
def test_what_is_not_for_it_is_refused(
    within: Callable[..., Any],
    tmp_path: Path,
    worker: str,
    port: Any,
    payload: Any,
    code: str,
    message: str,
) -> None:
    async def main() -> None:
        async with loaded(tmp_path, ASKS, ports={"echo": Echo(), "other": Echo()}) as host:
            with pytest.raises(SwarmError) as raised:
                await host.call(worker, {"port": port, "payload": payload})
            assert raised.value.error["code"] == code
            assert message in raised.value.error["message"]

    within(30, main)
