"""When a reload is loaded, and what is told of it."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest

from swarm_host.errors import LoadError
from swarm_host.host import Reloaded
from swarm_host.reload import reloader as reloader_module
from swarm_host.reload.marks import moment
from swarm_host.reload.reloader import Choices, Reloader
from tests.support.flow import write
from tests.support.terminal import Terminal

# Bursts. -----------------------------------------------------------------------------------------


def test_a_checkout_costs_at_most_two_loadings(tmp_path: Path) -> None:
    names = [f"m{number}" for number in range(100)]
    requires = "\n".join(f"require 'mods.{name}'" for name in names)
    waits = """
    swarm.main(function()
      swarm.log.info "begun"
      repeat swarm.sleep(0.01) until swarm.fs.exists "stop"
    end)
    """

    def commit(value: int) -> None:
        for name in names:
            write(
                tmp_path,
                **{
                    f"mods__{name}": f"swarm.worker '{name}' {{ run = function() "
                    f"return {value} end }}"
                },
            )
        subprocess.run([*git, "add", "-A"], check=True)
        subprocess.run([*git, "commit", "-qm", "x"], check=True)

    git = ["git", "-C", str(tmp_path), "-c", "user.name=x", "-c", "user.email=x@example.org"]
    subprocess.run([*git, "init", "-q"], check=True)
    write(tmp_path, app=f"{requires}\n{waits}")
    commit(1)
    commit(2)
    with Terminal(tmp_path, "--reload", "app.lua") as session:
        session.expect("begun")
        time.sleep(0.3)  # it watches; a change before would count for another burst
        subprocess.run([*git, "checkout", "-q", "HEAD~1"], check=True)
        session.expect("reload: generation 2 ")
        (tmp_path / "stop").touch()
        assert session.exit_status() == 0
    assert 1 <= session.said.count("reload: ") <= 2
    assert "failed" not in session.said


class Fake:
    """A host whose loadings are counted."""

    def __init__(self, path: Path, *, seconds: float = 0.0) -> None:
        self.path = path
        self.seconds = seconds
        self.loadings = 0
        self.read: list[str] = []
        self.told: list[str] = []
        self.fails: Callable[[int], bool] = lambda _: False
        self.while_loading: Callable[[int], None] = lambda _: None
        self.loaded = anyio.Event()

    async def reload(self, dry_run: bool = False, *, fresh: bool = False) -> Reloaded:
        self.loadings += 1
        loading = self.loadings
        self.read.append(self.path.read_text())
        self.while_loading(loading)
        await anyio.sleep(self.seconds)
        self.loaded.set()
        if self.fails(loading):
            raise LoadError({"code": "load_error", "message": f"loading {loading}"})
        return Reloaded(loading + 1, [], [], [], 0, 0.0)

    def watched(self) -> dict[str, list[str]]:
        return {"files": [str(self.path)], "missing": []}

    def on_watches(self, tell: Callable[[], None]) -> None:
        pass

    def generations(self) -> list[dict[str, Any]]:
        return []

    # What is told.

    def reloaded(self, change: Reloaded, draining: list[int], *, mended: bool) -> None:
        self.told.append(f"generation {change.generation}{' mended' if mended else ''}")

    def failed(self, error: dict[str, Any], generation: int) -> None:
        self.told.append(f"{error['message']} failed, {generation} stays")

    def drained(self, generation: int) -> None:
        self.told.append(f"{generation} drained")

    def blind(self, problem: str) -> None:
        self.told.append(problem)

    async def play(self, body: Callable[[], Any]) -> None:
        host: Any = self
        self.path.write_text("0")
        time.sleep(0.02)
        reloader = Reloader(host, str(self.path), moment(), self, Choices())
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(reloader.run)
            await anyio.sleep(0.3)
            with anyio.fail_after(20):
                await body()
            tasks.cancel_scope.cancel()

    async def until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            await anyio.sleep(0.005)


def test_a_burst_costs_two_loadings_and_its_end_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # However slow the machine is, no two writes are so far apart, and all are gathered.
    monkeypatch.setattr(reloader_module, "QUIET_SECONDS", 1.0)
    monkeypatch.setattr(reloader_module, "GATHER_SECONDS", 15.0)
    fake = Fake(tmp_path / "a.lua")

    async def body() -> None:
        for number in range(1, 40):
            fake.path.write_text(f"{number}")
            await anyio.sleep(0.01)
        await fake.until(lambda: fake.read[-1:] == ["39"])
        fake.path.write_text("another burst")
        await fake.until(lambda: fake.read[-1:] == ["another burst"])

    anyio.run(fake.play, body)
    assert fake.read[1:] == ["39", "another burst"]


def test_a_change_during_a_loading_is_loaded(tmp_path: Path) -> None:
    fake = Fake(tmp_path / "a.lua", seconds=0.05)

    def while_loading(loading: int) -> None:
        if loading < 5:
            fake.path.write_text(f"during {loading}")

    fake.while_loading = while_loading

    async def body() -> None:
        fake.path.write_text("first")
        await fake.until(lambda: fake.read[-1:] == ["during 4"])

    anyio.run(fake.play, body)
    assert fake.read == ["first", "during 1", "during 2", "during 3", "during 4"]


def test_a_file_that_is_changed_and_restored_while_it_loads_is_loaded_again(
    tmp_path: Path,
) -> None:
    fake = Fake(tmp_path / "a.lua", seconds=0.05)

    def while_loading(loading: int) -> None:
        if loading == 1:
            time.sleep(0.02)  # a few ticks of the file system's clock
            fake.path.write_text("read by another, and gone again")
            fake.path.write_text("first")

    fake.while_loading = while_loading

    async def body() -> None:
        fake.path.write_text("first")
        await fake.until(lambda: fake.loadings == 2)

    anyio.run(fake.play, body)


def test_a_stream_of_changes_without_end_is_loaded_now_and_then(tmp_path: Path) -> None:
    fake = Fake(tmp_path / "a.lua")

    async def body() -> None:
        stop = time.monotonic() + 3.3
        number = 0
        while time.monotonic() < stop:
            number += 1
            fake.path.write_text(f"{number}")
            await anyio.sleep(0.01)

    anyio.run(fake.play, body)
    assert 3 <= fake.loadings <= 6


def test_a_failure_that_the_next_change_mends_is_not_told(tmp_path: Path) -> None:
    fake = Fake(tmp_path / "a.lua", seconds=0.01)
    fake.fails = lambda loading: loading == 1

    def while_loading(loading: int) -> None:
        if loading == 1:
            fake.path.write_text("whole")

    fake.while_loading = while_loading

    async def body() -> None:
        fake.path.write_text("half")
        await fake.until(lambda: fake.loadings == 2 and bool(fake.told))

    anyio.run(fake.play, body)
    assert fake.told == ["generation 3"]


def test_a_failure_is_told_and_the_next_good_loading_clears_it(tmp_path: Path) -> None:
    fake = Fake(tmp_path / "a.lua")
    fake.fails = lambda loading: loading in (2, 3)

    async def body() -> None:
        for number in range(1, 6):
            fake.path.write_text(f"{number}")
            while len(fake.told) < number:
                await anyio.sleep(0.005)
            await anyio.sleep(0.1)

    anyio.run(fake.play, body)
    assert fake.told == [
        "generation 2",
        "loading 2 failed, 2 stays",
        "loading 3 failed, 2 stays",
        "generation 5 mended",
        "generation 6",
    ]


def test_failures_without_end_are_told(tmp_path: Path) -> None:
    fake = Fake(tmp_path / "a.lua")
    fake.fails = lambda _: True

    async def body() -> None:
        number = 0
        while not fake.told:
            number += 1
            fake.path.write_text(f"{number}")
            await anyio.sleep(0.01)

    anyio.run(fake.play, body)
