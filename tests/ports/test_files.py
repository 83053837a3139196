"""Files: what a bound holds against paths and links that somebody made for the purpose, and what is
no file to a script."""

from __future__ import annotations

import errno
import os
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest

from swarm_host import Host, Options, Outcome
from swarm_host.ports.contract import Answer, Call, PortError
from swarm_host.ports.files import beneath, port, straight, transfer
from swarm_host.ports.files.bounds import admits_below, leads_to
from swarm_host.ports.files.port import THREADS, Files
from swarm_host.ports.files.threads import Left, Threads, Work
from swarm_host.ports.writing import put


@pytest.fixture(autouse=True, params=["in one call", "folder by folder"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways to open a folder without links."""
    if request.param == "folder by folder":
        monkeypatch.setattr(straight, "open_folder", lambda path, flags: None)
    return str(request.param)


@pytest.fixture
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a folder ``in``, and others that no bound names."""
    monkeypatch.chdir(tmp_path)
    for name in ("in/file", "in/sub/file", "secret/alpha/key", "vault/key", "pkg/cli.js"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    (tmp_path / "out").mkdir()
    (tmp_path / "out/link_to_file").symlink_to("../in/file")
    return tmp_path


SCRIPT = """
swarm.role "bounded" {{ extends = "worker", allow = {{ {allow} }} }}
swarm.worker "w" {{ role = "bounded", run = function(_, calls)
  local results = {{}}
  for i, call in ipairs(calls) do
    local ok, value = pcall(swarm.fs[call[1]], call[2], call[3])
    results[i] = ok and {{ ok = true, value = value }}
      or {{ ok = false, code = value.code, path = value.path, message = value.message }}
  end
  return results
end }}
swarm.main(function(_, ctx) return swarm.call("w", ctx.input) end)
"""

IN = 'read_files = { "in/**" }, write_files = { "in/**" }'


def results(script: str, calls: list[list[str]]) -> list[dict[str, Any]]:
    """What becomes of calls of ``swarm.fs`` in one worker."""
    Path("script.lua").write_text(script)

    async def main() -> Outcome:
        async with Host.load("script.lua", Options(input=calls)) as host:
            with anyio.fail_after(30):
                return await host.run()

    outcome = anyio.run(main)
    assert outcome.status == "pass", outcome
    assert isinstance(outcome.value, list)
    return outcome.value


def tried(*calls: list[str], allow: str = IN) -> list[str]:
    """Each call's error code, or ``ok``."""
    found = results(SCRIPT.format(allow=allow), list(calls))
    return ["ok" if one["ok"] else one["code"] for one in found]


# Copies and moves ---------------------------------------------------------------------------------


def test_a_copy_onto_a_folder_writes_through_no_link_in_it(base: Path) -> None:
    (base / "in/node_modules/.bin").mkdir(parents=True)
    (base / "in/node_modules/pkg").mkdir()
    (base / "in/node_modules/.bin/tool").symlink_to("../pkg/cli.js")
    codes = tried(
        ["mkdir", "in/x"],
        ["write", "in/x/tool", "ours"],
        ["move", "in/node_modules/.bin/tool", "in/tool"],  # it now leads to pkg/cli.js
        ["write", "in/tool", "x"],
        ["copy", "in/x/tool", "in"],
    )
    assert codes == ["ok", "ok", "ok", "role_violation", "role_violation"]
    assert (base / "pkg/cli.js").read_text() == "pkg/cli.js"


def test_a_copy_or_a_move_into_a_folder_needs_the_name_in_it_admitted(base: Path) -> None:
    allow = 'read_files = { "in/**" }, write_files = { "in/sub/*.txt" }'
    codes = tried(
        ["mkdir", "in/sub/d.txt"],
        ["copy", "in/sub/file", "in/sub/d.txt"],
        ["move", "in/sub/file", "in/sub/d.txt"],
        ["copy", "in/sub/file", "in/sub/e.txt"],
        allow=allow,
    )
    assert codes == ["ok", "role_violation", "role_violation", "ok"]
    assert not any((base / "in/sub/d.txt").iterdir())
    assert tried(["move", "in/file", "in/sub"]) == ["io_error"]  # there is one of that name
    assert tried(["copy", "in/file", "in/sub"]) == ["ok"]
    assert (base / "in/sub/file").read_text() == "in/file"


def test_a_copy_keeps_what_belongs_to_the_file_and_never_empties_it(base: Path) -> None:
    (base / "in/file").chmod(0o640)
    os.utime(base / "in/file", (1, 2))
    (base / "in/same").symlink_to("file")
    codes = tried(
        ["copy", "in/file", "in/new"], ["copy", "in/file", "in/same"], ["copy", "in/sub", "in/y"]
    )
    assert codes == ["ok", "io_error", "io_error"]
    status = (base / "in/new").stat()
    assert (status.st_mode & 0o777, status.st_mtime) == (0o640, 2)
    assert (base / "in/file").read_text() == "in/file"


def test_a_link_is_removed_and_replaced_only_where_it_is(base: Path) -> None:
    (base / "in/link_out").symlink_to("../vault/key")
    codes = tried(
        ["remove", "out/link_to_file"],
        ["move", "in/sub/file", "out/link_to_file"],
        ["move", "out/link_to_file", "in/stolen"],
        ["remove", "in/link_out"],
    )
    assert codes == ["role_violation", "role_violation", "role_violation", "ok"]
    assert (base / "out/link_to_file").is_symlink()
    assert not (base / "in/link_out").is_symlink()
    assert (base / "vault/key").read_text() == "vault/key"


def test_who_moves_a_file_must_be_allowed_to_read_it(base: Path) -> None:
    allow = 'read_files = { "in/**" }, write_files = { "in/**", "vault/**" }'
    assert tried(["move", "vault/key", "in/key"], allow=allow) == ["role_violation"]
    assert (base / "vault/key").exists()
    script = SCRIPT.format(allow="").replace("allow", 'deny = { "read_files" }, allow')
    assert results(script, [["move", "vault/key", "key"]])[0]["code"] == "role_violation"


def test_a_folder_moves_only_where_all_that_may_be_in_it_is_admitted(base: Path) -> None:
    allow = 'read_files = { "in/*", "out/**" }, write_files = { "**" }'
    assert tried(["move", "in/sub", "out/sub"], allow=allow) == ["role_violation"]
    assert tried(["move", "in/sub", "in/other"]) == ["ok"]
    assert (base / "in/other/file").read_text() == "in/sub/file"
    root = os.path.realpath(base)
    assert admits_below([["in/**"]], f"{root}/in/sub")
    assert not admits_below([["in/*/*"]], f"{root}/in/sub")


def test_a_move_to_another_file_system_carries_all_over(base: Path) -> None:
    elsewhere = Path("/dev/shm", f"swarm-{os.getpid()}")
    if not elsewhere.parent.is_dir() or elsewhere.parent.stat().st_dev == base.stat().st_dev:
        pytest.skip("there is no other file system")
    (base / "in/sub/link").symlink_to("file")
    elsewhere.mkdir()
    try:
        found = results(
            SCRIPT.format(allow=""),
            [["move", "in", f"{elsewhere}/there"], ["move", "vault/key", f"{elsewhere}/k"]],
        )
        assert [one["ok"] for one in found] == [True, True], found
        assert (elsewhere / "there/sub/file").read_text() == "in/sub/file"
        assert (elsewhere / "there/sub/link").readlink() == Path("file")
        assert (elsewhere / "k").read_text() == "vault/key"
        assert not (base / "in").exists()
        assert not (base / "vault/key").exists()
        assert sorted(path.name for path in elsewhere.iterdir()) == ["k", "there"]
    finally:
        shutil.rmtree(elsewhere)


SLOW = """
swarm.main(function(_, ctx)
  local ok, err = pcall(swarm.timeout, 0.3, function()
    swarm.fs[ctx.input]("large", "out/large")
  end)
  return { not ok and err.code }
end)
"""


@pytest.mark.parametrize("op", ["copy", "move"])
def test_a_copy_hears_a_timeout_and_leaves_no_half(
    base: Path, monkeypatch: pytest.MonkeyPatch, op: str
) -> None:
    with (base / "large").open("wb") as file:
        file.truncate(400 * beneath.CHUNK)
    pieces: list[int] = []

    def slow(file: int, data: bytes) -> None:
        pieces.append(os.write(file, data[:10]))
        time.sleep(0.01)

    def elsewhere(*names: object, **folders: object) -> None:
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))

    monkeypatch.setattr(transfer, "put", slow)
    monkeypatch.setattr(os, "rename", elsewhere)
    Path("script.lua").write_text(SLOW)

    async def main() -> Outcome:
        async with Host.load("script.lua", Options(input=op)) as host:
            return await host.run()

    assert anyio.run(main).value == ["timeout"]
    assert 0 < len(pieces) < 200
    assert (base / "large").exists()
    assert sorted(path.name for path in (base / "out").iterdir()) == ["link_to_file"]


def test_a_copy_takes_what_is_there_at_its_beginning_and_a_move_what_comes(
    base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def growing(file: int, data: bytes) -> None:
        put(file, data)
        with (base / "in/file").open("ab") as log:
            log.write(b"more\n")

    monkeypatch.setattr(transfer, "put", growing)
    monkeypatch.setattr(transfer, "UNTOLD", 20)
    (found,) = results(SCRIPT.format(allow=""), [["copy", "in/file", "out/copy"]])
    assert found["ok"]
    assert (base / "out/copy").read_text() == "in/file"
    rename = os.rename

    def elsewhere(name: str, to: str, **folders: int) -> None:
        if name == "in/file":
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
        rename(name, to, **folders)

    monkeypatch.setattr(os, "rename", elsewhere)
    (found,) = results(SCRIPT.format(allow=""), [["move", "in/file", "out/moved"]])
    assert found["message"].endswith("more to read than 0 MiB beyond the 12 bytes of its size")
    assert (base / "in/file").exists()
    assert not (base / "out/moved").exists()


def test_a_file_that_says_no_size_is_copied_up_to_a_bound(base: Path) -> None:
    if not Path("/proc/self/pagemap").exists():
        pytest.skip("there is no file without a size")
    (base / "old").write_text("old")
    (base / "out/link").symlink_to("../old")
    few, many = results(
        SCRIPT.format(allow=""),
        [["copy", "/proc/self/status", "out/few"], ["copy", "/proc/self/pagemap", "out/link"]],
    )
    assert few["ok"]
    assert "Name:" in (base / "out/few").read_text()
    assert many["message"].endswith("more to read than 64 MiB beyond the 0 bytes of its size")
    assert (base / "out/link").is_symlink()
    assert not (base / "old").exists(), "a copy that failed leaves no half"


def test_folders_that_no_bound_admits_are_not_made_on_the_way(base: Path) -> None:
    allow = 'write_files = { "new/er/**", "in/**" }'
    assert tried(["mkdir", "new/er/x"], ["mkdir", "in/a/b/c"], allow=allow) == [
        "role_violation",
        "ok",
    ]
    assert not (base / "new").exists()
    assert (base / "in/a/b/c").is_dir()


# What is seen -------------------------------------------------------------------------------------


def test_a_bounded_glob_tells_no_name_of_another_folder(base: Path) -> None:
    found = results(
        SCRIPT.format(allow=IN),
        [
            ["glob", f"/*/..{base}/in/file"],
            ["glob", "secret/a*/../../in/file"],
            ["glob", "*/file"],
            ["exists", "secret/alpha/../../in/file"],
            ["exists", "secret/omega/../../in/file"],
        ],
    )
    assert [one.get("code") for one in found[:2]] == ["role_violation"] * 2
    assert found[2]["value"] == ["in/file"]
    assert found[3] == found[4], "whether a folder is there cannot be asked for by way of .."


def test_a_bounded_glob_looks_only_where_something_may_be_admitted(base: Path) -> None:
    root = os.path.realpath(base)
    for folder, leads in (
        ("/", True),
        (root, True),
        (f"{root}/in", True),
        (f"{root}/in/a/b", True),
    ):
        assert leads_to([["in/**"]], folder) is leads
    assert not leads_to([["in/**"]], f"{root}/secret")
    assert not leads_to([["in/**"]], "/etc")
    assert leads_to([["*/x"]], f"{root}/secret")
    assert not leads_to([["*/x"]], f"{root}/secret/alpha")


def test_a_glob_finds_a_file_once_whatever_leads_round(base: Path) -> None:
    (base / "in/loop").symlink_to(".")
    (base / "in/sub/up").symlink_to("..")
    found = results(SCRIPT.format(allow=""), [["glob", "in/**"], ["glob", "in/**/file"]])
    assert found[0]["value"] == ["in/file", "in/sub/file"]
    assert found[1]["value"] == ["in/file", "in/sub/file"]


def test_a_glob_follows_links_to_other_folders(base: Path) -> None:
    (base / "in/pkg").symlink_to("../pkg")
    (base / "in/.hidden").write_text("")
    found = results(
        SCRIPT.format(allow=""),
        [
            ["glob", "in/**"],
            ["glob", "in/.*"],
            ["glob", "in//*"],
            ["glob", "in/sub"],
            ["glob", "*/"],
        ],
    )
    assert found[0]["value"] == ["in/file", "in/pkg/cli.js", "in/sub/file"]
    assert [one["value"] for one in found[1:]] == [["in/.hidden"], ["in/file"], [], []]


def test_a_name_that_is_not_utf_8_is_left_out_and_told(
    base: Path, caplog: pytest.LogCaptureFixture
) -> None:
    try:
        for name in (b"in/\xff", b"in/b\xfe", b"in/sub/\xff"):
            Path(os.fsdecode(name)).write_text("odd")
    except OSError:
        pytest.skip("the file system takes no such name")
    found = results(
        SCRIPT.format(allow=IN), [["list", "in"], ["glob", "in/**"], ["list", "in/sub"]]
    )
    assert [one["value"] for one in found] == [
        ["file", "sub"],
        ["in/file", "in/sub/file"],
        ["file"],
    ]
    told = [record.getMessage() for record in caplog.records if "UTF-8" in record.getMessage()]
    assert len(told) == 3
    assert 'swarm.fs.list "in" leaves out names that are not UTF-8: "b\ufffd" and 1 more' in told[0]
    assert 'swarm.fs.glob "in/**" leaves out names' in told[1]
    assert told[1].endswith("and 2 more")
    assert told[2].endswith('leaves out a name that is not UTF-8: "\ufffd"')


def test_the_environment_of_a_process_is_no_file(base: Path) -> None:
    if not Path("/proc/self/environ").exists():
        pytest.skip("there is no /proc")
    (base / "in/env").symlink_to("/proc/self/environ")
    script = SCRIPT.format(allow="").replace("allow", 'deny = { "read_env" }, allow')
    found = results(
        script,
        [
            ["read", "/proc/self/environ"],
            ["read", f"/proc/{os.getpid()}/environ"],
            ["read", "/proc/thread-self/environ"],
            ["read", "/proc/self/root/proc/self/environ"],
            ["read", "in/env"],
            ["copy", "/proc/self/environ", "in/copied"],
            ["move", "/proc/self/environ", "in/moved"],
            ["read", "/proc/self/mem"],
        ],
    )
    assert [one["ok"] for one in found] == [False] * 8, found
    assert "use swarm.env" in found[0]["message"]
    assert not (base / "in/copied").exists()
    assert results(script, [["read", "/proc/self/status"]])[0]["ok"]


# Between check and use ----------------------------------------------------------------------------


@contextmanager
def flipping(link: Path, *targets: str) -> Iterator[None]:
    """Somebody makes a link lead to one folder and another in turn."""
    over = threading.Event()

    def flip() -> None:
        while not over.is_set():
            for target in targets:
                new = link.with_name("new")
                new.symlink_to(target)
                new.rename(link)

    link.symlink_to(targets[0])
    thread = threading.Thread(target=flip)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def test_a_link_swapped_between_check_and_use_wins_nothing(base: Path) -> None:
    (base / "in/a").mkdir()
    (base / "in/a/key").write_text("fine")
    bounds = [["in/**"]]
    reads = {"op": "read", "path": "in/cur/key", "bounds": bounds}
    writes = {"op": "write", "path": "in/cur/key", "bounds": bounds}
    seen: set[object] = set()

    async def main() -> None:
        files = Files()
        end = time.monotonic() + 1.5
        while time.monotonic() < end:
            for payload in (reads, writes):
                try:
                    answer = await files(payload, Call(1, b"fine"))
                    seen.add(answer.data)
                except PortError as problem:
                    seen.add(problem.code)

    with flipping(base / "in/cur", "a", "../vault"):
        anyio.run(main)
    assert seen <= {b"fine", b"", None, "role_violation", "io_error"}
    assert (base / "vault/key").read_text() == "vault/key"


def test_a_link_that_comes_after_the_check_is_not_followed(base: Path) -> None:
    (base / "in/dir").symlink_to("../vault")
    with pytest.raises(beneath.Swapped):
        beneath.open_folder(f"{os.path.realpath(base)}/in/dir")
    with beneath.entry([["in/**"]], "in/sub/file") as where:
        (base / "in/sub/file").unlink()
        (base / "in/sub/file").symlink_to("../../vault/key")
        with pytest.raises(beneath.Swapped), beneath.opened(where, os.O_RDONLY):
            pass


def test_links_that_lead_in_a_ring_are_an_error(base: Path) -> None:
    (base / "in/ring").symlink_to("ring")
    found = results(SCRIPT.format(allow=IN), [["read", "in/ring"], ["exists", "in/ring"]])
    assert "symbolic links" in found[0]["message"]
    assert found[1]["value"] is False


# What is no file ----------------------------------------------------------------------------------


@pytest.fixture
def odd(base: Path) -> Path:
    """A pipe and a socket among the files."""
    os.mkfifo(base / "in/pipe")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(base / "in/socket"))
    return base


@pytest.mark.parametrize("bounded", [True, False])
def test_pipes_devices_and_sockets_are_no_files(odd: Path, bounded: bool) -> None:
    calls = [
        *([call, "in/pipe", "x"] for call in ("read", "write", "append")),
        ["copy", "in/pipe", "in/new"],
        ["copy", "in/file", "in/pipe"],
        ["read", "in/socket"],
    ]
    if not bounded:
        calls += [["read", "/dev/zero"], ["write", "/dev/null", "x"]]
    found = results(SCRIPT.format(allow=IN if bounded else ""), calls)
    assert [one["code"] for one in found] == ["io_error"] * len(calls)
    assert found[1]["message"].endswith("cannot write in/pipe: it is a pipe, not a file")
    assert found[4]["path"] == "in/pipe"
    assert (odd / "in/file").read_text() == "in/file"


def test_a_pipe_holds_up_nothing_and_its_other_end_is_left_alone(odd: Path) -> None:
    (odd / "mod.lua").write_text("return 'loaded'")
    (odd / "script.lua").write_text("""
    swarm.main(function()
      local readers = {}
      for i = 1, 60 do readers[i] = swarm.spawn(function() return swarm.fs.read "in/pipe" end) end
      for i = 1, 60 do pcall(swarm.result, readers[i]) end
      return { require "mod", swarm.fs.read "in/file" }
    end)
    """)
    reader = os.open(odd / "in/pipe", os.O_RDONLY | os.O_NONBLOCK)
    try:

        async def main() -> Outcome:
            async with Host.load("script.lua", Options()) as host:
                with anyio.fail_after(30):
                    return await host.run()

        assert anyio.run(main).value == ["loaded", "in/file"]
    finally:
        os.close(reader)


def test_a_module_that_is_a_pipe_is_an_error(base: Path) -> None:
    os.mkfifo(base / "mod.lua")
    (base / "script.lua").write_text("swarm.main(function() return require 'mod' end)")

    async def main() -> Outcome:
        async with Host.load("script.lua", Options()) as host:
            with anyio.fail_after(30):
                return await host.run()

    assert "cannot read mod.lua: it is a pipe" in str(anyio.run(main).error)


def test_a_file_may_be_so_long_and_no_longer(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (base / "in/long").open("wb") as file:
        file.truncate(beneath.READ_MOST + 1)
    found = results(SCRIPT.format(allow=""), [["read", "in/long"], ["copy", "in/long", "in/x"]])
    assert "it has more than 256 MiB, which is the most that is read" in found[0]["message"]
    assert found[1]["ok"]
    for size in (0, 1, 10):
        (base / "in/x").write_bytes(b"x" * size)
        with (base / "in/x").open("rb") as file:
            assert beneath.content(file.fileno(), 10) == b"x" * size
    with (base / "in/x").open("rb") as file, pytest.raises(OSError, match="more than"):
        beneath.content(file.fileno(), 9)


def test_a_file_that_does_not_say_how_long_it_is_is_not_read_without_end() -> None:
    if not Path("/proc/self/status").exists():
        pytest.skip("there is no /proc")
    with Path("/proc/self/status").open("rb") as file, pytest.raises(OSError, match="more than"):
        beneath.content(file.fileno(), 9)


def test_a_full_disk_is_an_io_error_with_the_path(base: Path) -> None:
    full = OSError(28, os.strerror(28))

    def no_room(file: int, data: bytes) -> None:
        raise full

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(port, "put", no_room)
        patch.setattr(transfer, "put", no_room)
        calls = [["write", "in/new", "x"], ["append", "in/file", "x"], ["copy", "in/file", "in/c"]]
        found = results(SCRIPT.format(allow=IN), calls)
    assert [(one["code"], one["path"]) for one in found] == [
        ("io_error", "in/new"),
        ("io_error", "in/file"),
        ("io_error", "in/c"),
    ]
    assert found[2]["message"].endswith("cannot copy in/c: no space left on device")


# Threads ------------------------------------------------------------------------------------------


def test_what_hangs_keeps_its_place_and_stops_no_require(
    base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (base / "in/mod.lua").write_text("return 1")
    gone = threading.Event()
    read = beneath.content

    def hanging(file: int, most: int = beneath.READ_MOST) -> bytes:
        if os.fstat(file).st_ino == inode:
            gone.wait(20)
        return read(file, most)

    inode = (base / "in/file").stat().st_ino
    monkeypatch.setattr(beneath, "content", hanging)

    async def main() -> Answer:
        files = Files()
        payload = {"op": "read", "path": "in/file"}
        with anyio.fail_after(20):
            for _ in range(2):
                async with anyio.create_task_group() as tasks:
                    for _ in range(2 * THREADS):
                        tasks.start_soon(files, payload, Call(1))
                    await anyio.sleep(0.2)
                    tasks.cancel_scope.cancel()
            assert threading.active_count() < 2 * THREADS, "a place is kept until its thread ends"
            loaded = await files({"op": "first", "paths": ["in/mod.lua"]}, Call(1))
            gone.set()
            return loaded if (await files(payload, Call(1))).data == b"in/file" else Answer()

    assert anyio.run(main) == Answer(value="in/mod.lua", data=b"return 1")


def test_a_search_that_nobody_waits_for_ends() -> None:
    ended = threading.Event()
    begun = anyio.Event()

    def forever(work: Work) -> None:
        anyio.from_thread.run_sync(begun.set)
        try:
            while True:
                work.check()
                time.sleep(0.001)
        except Left:
            ended.set()
            raise

    async def main() -> bool:
        threads = Threads(1)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(partial(threads.run, forever, abandon=True))
            await begun.wait()
            tasks.cancel_scope.cancel()
        return await threads.run(lambda _: ended.wait(60), abandon=False)

    assert anyio.run(main)
