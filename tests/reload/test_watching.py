"""The watcher: what counts as a change of a file, and that none is missed."""

from __future__ import annotations

import itertools
import os
import shutil
import sys
import threading
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import anyio
import pytest

from swarm_host.reload import watching as watching_module
from swarm_host.reload.marks import Mark, look, moment
from swarm_host.reload.watching import Watcher
from tests.support.saving import WAYS

SECONDS = 10.0
"""How long a change may take to be told before it counts as missed."""


class Watch:
    """A watcher with a deadline, over paths of one folder."""

    def __init__(self, folder: Path, *names: str) -> None:
        self.folder = folder
        self.end = folder / "end-of-test"
        self.end.write_text("0")
        time.sleep(0.02)  # a few ticks of the file system's clock: nothing is news so far
        paths = [str(folder / name) for name in names]
        there = [path for path in paths if os.access(path, os.F_OK)]
        absent = set(paths) - set(there)
        self.watcher = Watcher([str(self.end), *there], moment(), absent)

    async def told(self) -> set[str]:
        """The names that are told next."""
        with anyio.fail_after(SECONDS):
            changed = await anext(self.watcher)
        return {os.path.relpath(path, self.folder) for path in changed}

    async def told_in_all(self) -> list[str]:
        """All names that are told until a last change of ours is, which is left out."""
        WAYS["by_rename"](self.end, "1" if self.end.read_text() == "0" else "0")
        names: list[str] = []
        while self.end.name not in names:
            names += sorted(await self.told())
        names.remove(self.end.name)
        return names


def watching(folder: Path, *names: str, body: Callable[[Watch], Coroutine[Any, Any, None]]) -> None:
    """Runs a test with a watcher of some names in a folder."""

    async def run() -> None:
        watch = Watch(folder, *names)
        try:
            while watch.watcher._notify is None and watch.watcher.problem is None:
                await anyio.sleep(0.001)  # so far it is not certain what counts as a change
            assert await watch.told_in_all() == []
            await body(watch)
        finally:
            watch.watcher.close()

    anyio.run(run)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "a.lua"
    path.write_text("return 1\n")
    return path


@pytest.mark.parametrize("way", WAYS)
def test_every_way_to_save_a_file_is_told(file: Path, way: str) -> None:
    async def body(watch: Watch) -> None:
        for number in range(2, 6):
            WAYS[way](file, f"return {number}\n")
            assert await watch.told() == {"a.lua"}
        assert set(await watch.told_in_all()) <= {"a.lua"}

    watching(file.parent, "a.lua", body=body)


@pytest.mark.parametrize("way", WAYS)
def test_a_file_saved_as_it_was_has_not_changed(file: Path, way: str) -> None:
    if way == "in_pieces":
        pytest.skip("its pieces are changes")

    async def body(watch: Watch) -> None:
        WAYS[way](file, "return 1\n")
        assert await watch.told_in_all() == []

    watching(file.parent, "a.lua", body=body)


def test_touching_and_rights_are_no_change(file: Path) -> None:
    async def body(watch: Watch) -> None:
        file.touch()
        file.chmod(0o600)
        os.utime(file, (1, 1))
        assert await watch.told_in_all() == []

    watching(file.parent, "a.lua", body=body)


def test_a_change_that_keeps_size_and_time_is_told(file: Path) -> None:
    async def body(watch: Watch) -> None:
        before = file.stat()
        for number in range(2, 9):
            file.write_text(f"return {number}\n")
            os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
            assert await watch.told() == {"a.lua"}

    watching(file.parent, "a.lua", body=body)


def test_a_file_that_is_empty_for_a_moment_is_told_when_it_is_not(file: Path) -> None:
    async def body(watch: Watch) -> None:
        for number in range(2, 12):
            with file.open("w") as opened:  # truncated here
                opened.flush()
                time.sleep(0.008)  # longer than the library takes to say so
                opened.write(f"return {number}\n")
            assert await watch.told() == {"a.lua"}
            assert file.read_text() == f"return {number}\n"
        assert await watch.told_in_all() == []

    watching(file.parent, "a.lua", body=body)


def test_a_file_that_stays_empty_or_away_is_told(file: Path) -> None:
    async def body(watch: Watch) -> None:
        file.write_text("")
        assert await watch.told() == {"a.lua"}
        file.unlink()
        assert await watch.told() == {"a.lua"}
        file.write_text("")
        assert await watch.told() == {"a.lua"}

    watching(file.parent, "a.lua", body=body)


def test_others_in_the_folder_are_not_told(file: Path) -> None:
    async def body(watch: Watch) -> None:
        for number in range(50):
            (file.parent / f"other-{number}").write_text("x")
        assert await watch.told_in_all() == []

    watching(file.parent, "a.lua", body=body)


def test_a_missing_file_is_told_when_it_comes(tmp_path: Path) -> None:
    async def body(watch: Watch) -> None:
        (tmp_path / "b.lua").write_text("x")
        assert await watch.told() == {"b.lua"}

    watching(tmp_path, "b.lua", body=body)


@pytest.mark.parametrize("at_once", [True, False])
def test_a_file_below_missing_folders_is_told(tmp_path: Path, at_once: bool) -> None:
    async def body(watch: Watch) -> None:
        folders = [tmp_path / "lua", tmp_path / "lua/deep", tmp_path / "lua/deep/down"]
        for folder in folders:
            folder.mkdir()
            if not at_once:
                assert await watch.told_in_all() == []
        (folders[-1] / "b.lua").write_text("x")
        assert await watch.told() == {"lua/deep/down/b.lua"}

    watching(tmp_path, "lua/deep/down/b.lua", body=body)


def test_a_folder_is_deleted_and_made_again(tmp_path: Path) -> None:
    folder = tmp_path / "lib"
    folder.mkdir()
    (folder / "a.lua").write_text("1")

    async def body(watch: Watch) -> None:
        for number in range(2, 6):
            shutil.rmtree(folder)
            assert await watch.told() == {"lib/a.lua"}
            folder.mkdir()
            (folder / "a.lua").write_text("back")
            assert await watch.told() == {"lib/a.lua"}
            (folder / "a.lua").write_text(f"{number}")
            assert await watch.told() == {"lib/a.lua"}

    watching(tmp_path, "lib/a.lua", body=body)


def test_a_folder_that_is_exchanged_is_told_and_watched(tmp_path: Path) -> None:
    for number in (1, 2):
        (tmp_path / f"lib{number}").mkdir()
        (tmp_path / f"lib{number}" / "a.lua").write_text(f"{number}")
    (tmp_path / "lib1").rename(tmp_path / "lib")

    async def body(watch: Watch) -> None:
        (tmp_path / "lib").rename(tmp_path / "lib1")
        (tmp_path / "lib2").rename(tmp_path / "lib")
        assert await watch.told() == {"lib/a.lua"}
        (tmp_path / "lib1/a.lua").write_text("nobody's")
        assert await watch.told_in_all() == []
        (tmp_path / "lib/a.lua").write_text("3")
        assert await watch.told() == {"lib/a.lua"}

    watching(tmp_path, "lib/a.lua", body=body)


def test_a_folder_exchanged_far_above_is_told(tmp_path: Path) -> None:
    for number in (1, 2):
        deep = tmp_path / f"top{number}" / "b" / "c" / "d"
        deep.mkdir(parents=True)
        (deep / "a.lua").write_text(f"{number}")
    (tmp_path / "top1").rename(tmp_path / "top")

    async def body(watch: Watch) -> None:
        (tmp_path / "top").rename(tmp_path / "top1")
        (tmp_path / "top2").rename(tmp_path / "top")
        assert await watch.told() == {"top/b/c/d/a.lua"}

    watching(tmp_path, "top/b/c/d/a.lua", body=body)


def test_a_link_s_target_and_the_link_are_watched(tmp_path: Path) -> None:
    real = tmp_path / "real"
    real.mkdir()
    (real / "one").write_text("1")
    (real / "two").write_text("2")
    (tmp_path / "middle").symlink_to("real/one")
    (tmp_path / "a.lua").symlink_to(tmp_path / "middle")

    async def body(watch: Watch) -> None:
        (real / "one").write_text("11")
        assert await watch.told() == {"a.lua"}
        (tmp_path / "next").symlink_to("real/two")
        (tmp_path / "next").rename(tmp_path / "middle")
        assert await watch.told() == {"a.lua"}
        (real / "two").write_text("22")
        assert await watch.told() == {"a.lua"}
        (real / "one").write_text("nobody's")
        assert await watch.told_in_all() == []

    watching(tmp_path, "a.lua", body=body)


def test_a_folder_that_is_a_link_is_watched(tmp_path: Path) -> None:
    """As a mounted configuration is exchanged."""
    for number in (1, 2, 3):
        (tmp_path / f"v{number}").mkdir()
        (tmp_path / f"v{number}" / "a.lua").write_text(f"{number}")
    (tmp_path / "now").symlink_to("v1")

    async def body(watch: Watch) -> None:
        for number in (2, 3):
            (tmp_path / "next").symlink_to(f"v{number}")
            (tmp_path / "next").rename(tmp_path / "now")
            assert await watch.told() == {"now/a.lua"}
            (tmp_path / f"v{number}" / "a.lua").write_text("more")
            assert await watch.told() == {"now/a.lua"}

    watching(tmp_path, "now/a.lua", body=body)


def test_links_in_a_circle_are_missing(tmp_path: Path) -> None:
    (tmp_path / "a.lua").symlink_to("b.lua")
    (tmp_path / "b.lua").symlink_to("a.lua")

    async def body(watch: Watch) -> None:
        (tmp_path / "b.lua").unlink()
        (tmp_path / "b.lua").write_text("x")
        assert await watch.told() == {"a.lua"}

    watching(tmp_path, "a.lua", body=body)


def test_a_pipe_and_what_cannot_be_read_hold_nobody(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")

    async def body(watch: Watch) -> None:
        (tmp_path / "a.lua").write_text("x")
        assert await watch.told() == {"a.lua"}

    watching(tmp_path, "pipe", "a.lua", "x" * 300, body=body)


def test_a_large_file_is_told_by_its_time(tmp_path: Path) -> None:
    path = tmp_path / "large"
    path.write_bytes(b"1" * 2_000_000)

    async def body(watch: Watch) -> None:
        path.write_bytes(b"2" * 2_000_000)
        assert await watch.told() == {"large"}
        assert set(await watch.told_in_all()) <= {"large"}

    watching(tmp_path, "large", body=body)


def test_the_names_in_a_folder_are_watched(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "one").write_text("x")

    async def body(watch: Watch) -> None:
        (folder / "two").write_text("x")
        assert await watch.told() == {"data"}
        WAYS["vim"](folder / "one", "y")
        (folder / ".one.swp").write_text("x")
        (folder / "one").write_text("z")
        assert await watch.told_in_all() == []
        (folder / "two").unlink()
        assert await watch.told() == {"data"}

    watching(tmp_path, "data", body=body)


def test_relative_paths_are_those_of_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    Path("a.lua").write_text("1")
    Path("../up.lua").write_text("1")

    async def run() -> None:
        watcher = Watcher(["a.lua", "../up.lua", "./lib/x.lua", "."], moment())
        try:
            with anyio.fail_after(SECONDS):
                for name in ("a.lua", "../up.lua"):
                    Path(name).write_text("2")
                    while name not in await anext(watcher):  # the one before may come twice
                        pass
                Path("lib").mkdir()
                changed: set[str] = set()
                while "." not in changed:
                    changed |= await anext(watcher)
                Path("lib/x.lua").write_text("2")
                while "./lib/x.lua" not in changed:
                    changed |= await anext(watcher)
        finally:
            watcher.close()

    anyio.run(run)


def test_a_checkout_of_many_files_is_told_whole(tmp_path: Path) -> None:
    names = [f"m{number}.lua" for number in range(300)]
    for name in names:
        (tmp_path / name).write_text("1")

    async def body(watch: Watch) -> None:
        for name in names:
            (tmp_path / name).write_text("2")
        told: set[str] = set()
        while told < set(names):  # one that the library lost is found by the clock
            told |= await watch.told()
        assert told == set(names)

    watching(tmp_path, *names, body=body)


def test_what_changed_before_it_began_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.lua").write_text("1")
    (tmp_path / "old.lua").write_text("1")
    time.sleep(0.02)  # a few ticks of the file system's clock

    async def run() -> None:
        since = moment()
        (tmp_path / "a.lua").write_text("2")
        (tmp_path / "new.lua").write_text("2")
        paths = [str(tmp_path / name) for name in ("a.lua", "old.lua", "new.lua")]
        watcher = Watcher(paths, since)
        with anyio.fail_after(SECONDS):
            assert await anext(watcher) == {paths[0], paths[2]}
        watcher.close()

    anyio.run(run)


def test_a_change_while_the_set_changes_is_told(tmp_path: Path) -> None:
    for name in ("a.lua", "b.lua"):
        (tmp_path / name).write_text("0")

    async def body(watch: Watch) -> None:
        end = str(watch.end)
        for number in range(1, 40):
            a, b = str(tmp_path / "a.lua"), str(tmp_path / "b.lua")
            since = moment()
            watch.watcher.update([end, b] if number % 2 else [end, a, b], since)
            (tmp_path / "b.lua").write_text(f"{number}")
            watch.watcher.update([end, a, b] if number % 2 else [end, b], since)
            while "b.lua" not in await watch.told():
                pass

    watching(tmp_path, "b.lua", body=body)


def test_a_file_no_longer_watched_is_not_told(tmp_path: Path) -> None:
    (tmp_path / "a.lua").write_text("1")

    async def body(watch: Watch) -> None:
        watch.watcher.update([str(watch.end)])
        assert await watch.told_in_all() == []
        (tmp_path / "a.lua").write_text("2")
        assert await watch.told_in_all() == []

    watching(tmp_path, "a.lua", body=body)


def test_without_events_files_are_looked_at(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "watchfiles._rust_notify", None)

    async def body(watch: Watch) -> None:
        assert watch.watcher.problem
        WAYS["vim"](file, "return 2\n")
        assert await watch.told() == {"a.lua"}

    watching(file.parent, "a.lua", body=body)


def test_what_events_miss_is_told_though_others_never_end(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Deaf:
        """Tells of a neighbour every time it is asked, and of nothing else."""

        def __init__(self, *_: object) -> None: ...

        def watch(self, *_: object) -> set[tuple[int, str]]:
            time.sleep(0.002)
            return {(2, str(file.parent / "neighbour"))}

    monkeypatch.setattr("watchfiles._rust_notify.RustNotify", Deaf)

    async def body(watch: Watch) -> None:
        file.write_text("return 2\n")
        assert await watch.told() == {"a.lua"}

    watching(file.parent, "a.lua", body=body)


def test_where_a_look_takes_long_it_is_taken_less_often(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    takes = 0.005
    looks: list[float] = []

    def slow(path: str, before: Mark | None = None, *, named: bool = False) -> Mark:
        if path == str(file) and not named:  # by an event: those are looked at at once
            looks.append(time.monotonic())
        started = time.thread_time()
        while time.thread_time() - started < takes:
            pass
        return look(path, before, named=named)

    monkeypatch.setattr(watching_module, "LOOK_SECONDS", 0.01)

    async def body(watch: Watch) -> None:
        monkeypatch.setattr(watching_module, "look", slow)
        with anyio.fail_after(SECONDS):
            while len(looks) < 4:
                await anyio.sleep(0.01)
        pauses = [after - before for before, after in itertools.pairwise(looks)]
        assert min(pauses) > watching_module.LOOK_SHARE * takes

    watching(file.parent, "a.lua", body=body)


def test_a_watcher_leaves_no_thread(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching_module, "LOOK_SECONDS", 100)  # or that would end it soon

    async def body(watch: Watch) -> None:
        started = time.monotonic()
        watch.watcher.close()
        assert time.monotonic() - started < 20
        assert "watching" not in [thread.name for thread in threading.enumerate()]

    watching(file.parent, "a.lua", body=body)
