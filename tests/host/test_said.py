"""What an application hears of a host that it gave no options: logs, and failures of nobody."""

from __future__ import annotations

import gc
import logging
from pathlib import Path

import pytest

from swarm_host import Host, Options
from tests.support.waiting import within

SAYS = """
swarm.worker "says" { run = function()
  swarm.log.info("counting", { of = { 1, true } })
  swarm.log.error("alas")
end }
swarm.worker "breaks" { run = function() error "it broke" end }
swarm.worker "leaves" { run = function()
  swarm.spawn("breaks")
  swarm.sleep(0.01)
end }
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "says.lua"
    path.write_text(SAYS)
    return path


def heard(caplog: pytest.LogCaptureFixture) -> list[tuple[int, str]]:
    """The records of our logger."""
    return [(r.levelno, r.getMessage()) for r in caplog.records if r.name == "swarm_host"]


def test_logs_are_python_s_where_nobody_takes_them(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        async with Host.load(path) as host:
            await host.call("says")

    with caplog.at_level(logging.DEBUG, "swarm_host"):
        within(20, main)
    assert heard(caplog) == [
        (logging.INFO, "[says T-1] counting of=[1,true]"),
        (logging.ERROR, "[says T-1] alas"),
    ]
    assert vars(caplog.records[0])["swarm"]["fields"] == {"of": [1, True]}


def test_an_unowned_failure_is_heard(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with Host.load(path) as host:
            worker = host.spawn("leaves")
            assert (await worker.wait()).status == "failed"

    within(20, main)
    ((level, said),) = heard(caplog)
    assert level == logging.WARNING
    assert said.startswith('[breaks T-2] worker "breaks" failed: ')
    assert said.endswith("says.lua:6: it broke")


def test_a_failure_that_python_never_asks_for_is_heard(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        async with Host.load(path) as host:
            host.spawn("breaks")  # its handle is gone at once
            gc.collect()
            kept = host.spawn("breaks")
            while kept.status != "failed":
                await host.next_tick()
            del kept
            gc.collect()
            asked = host.spawn("breaks")
            await asked.wait()
            del asked
            gc.collect()

    within(20, main)
    said = [text.partition(" failed: ")[0] for _, text in heard(caplog)]
    assert said == ['[breaks T-1] worker "breaks"', '[breaks T-2] worker "breaks"']


def test_who_takes_the_log_takes_it_alone(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    taken: list[str] = []

    async def main() -> None:
        options = Options(write_log=lambda entry: taken.append(entry["message"]))
        async with Host.load(path, options) as host:
            await host.call("says")

    within(20, main)
    assert (taken, heard(caplog)) == (["counting", "alas"], [])
