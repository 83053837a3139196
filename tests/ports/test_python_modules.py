"""Where the functions of Python workers are found, and what a change of their files does."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import swarm_host
from swarm_host import Host, LoadError, Options
from swarm_host.ports.python import registered
from tests.support.python import beside, error_of, save

ONE = 'swarm.worker "one" { python = "tools:one" }\n'


@pytest.fixture(autouse=True)
def nothing_stays() -> Iterator[None]:
    """What a host has loaded goes with it."""
    path, modules = list(sys.path), set(sys.modules)
    yield
    assert sys.path == path
    assert [name for name in set(sys.modules) - modules if name.startswith("_swarm_")] == []


def test_modules_beside_the_script_go_before_installed_ones(
    within: Callable[..., Any], tmp_path: Path
) -> None:
    package = tmp_path / "lib"
    package.mkdir()
    save(package, __init__="from . import inner", inner="WORD = 'inner'\n")

    async def main() -> None:
        async with beside(
            tmp_path,
            ONE + 'swarm.worker "floor" { python = "math:floor" }\n'
            'swarm.worker "deep" { python = "lib.inner:WORD.upper" }\n'
            'swarm.worker "method" { python = "tools:Class.method" }\n',
            tools="""
            import os.path
            import lib.inner
            import lib.inner as same
            from lib import inner
            import textwrap
            import json

            class Class:
                @staticmethod
                def method():
                    return __name__.partition(".")[2]

            def one():
                assert same is inner is lib.inner
                from late import LATE
                return [textwrap.WORD, inner.WORD, LATE, os.path.sep, json.dumps({})]
            """,
            textwrap="WORD = 'ours'\n",
            late="LATE = 'late'\n",
        ) as host:
            assert await host.call("one") == ["ours", "inner", "late", "/", "{}"]
            assert await host.call("floor", 2.5) == 2
            assert await host.call("deep") == "INNER"
            assert await host.call("method") == "tools"
            import textwrap

            assert not hasattr(textwrap, "WORD")
            assert "tools" not in sys.modules
            watched = {Path(one).name for one in host.watched()["files"]}
            assert {"tools.py", "textwrap.py", "inner.py", "__init__.py", "late.py"} <= watched

    within(30, main)


def test_two_hosts_in_one_process_have_modules_of_their_own(
    within: Callable[..., Any], tmp_path: Path
) -> None:
    first, second = tmp_path / "a", tmp_path / "b"
    first.mkdir()
    second.mkdir()
    text = "import names\ndef one():\n    return names.NAME\n"

    async def main() -> None:
        async with (
            beside(first, ONE, tools=text, names="NAME = 'a'\n") as a,
            beside(second, ONE, tools=text, names="NAME = 'b'\n") as b,
        ):
            assert [await a.call("one"), await b.call("one")] == ["a", "b"]

    within(30, main)


def test_a_changed_module_is_a_new_generation_and_what_runs_keeps_the_old(
    within: Callable[..., Any], tmp_path: Path
) -> None:
    lua = (
        ONE
        + 'swarm.worker "other" { python = "others:other" }\n'
        + 'swarm.worker "waits" { python = "tools:waits" }\n'
    )
    tools = """
        import asyncio
        import helpers
        import swarm_host

        async def waits():
            swarm_host.worker_context().progress("begun")
            while not helpers.GO:
                await asyncio.sleep(0.001)
            import helpers as again
            return [helpers.WORD, again.WORD]

        def one():
            return helpers.WORD

        def let_go():
            helpers.GO.append(1)
    """
    lua += 'swarm.worker "let_go" { python = "tools:let_go" }\n'
    lua += 'swarm.worker "old" { run = function() return swarm.call "waits" end }\n'

    async def main() -> None:
        async with beside(
            tmp_path,
            lua,
            tools=tools,
            helpers="WORD = 'first'\nGO = []\n",
            others="def other(): return 'other'\n",
        ) as host:
            assert await host.call("one") == "first"
            old = host.spawn("waits")
            async for _ in old.follow():
                break
            unchanged = await host.reload()
            assert not unchanged.switched
            save(tmp_path, helpers="WORD = 'other'\nGO = [1]\n")  # as long as it was
            changed = await host.reload()
            assert changed.generation == 2
            assert changed.changed == ["worker let_go", "worker one", "worker waits"]
            assert await host.call("one") == "other"
            assert await host.call("waits") == ["other", "other"]
            assert await host.call("other") == "other"
            assert old.status == "running"
            old.cancel()
            await old.wait()

            save(tmp_path, helpers="WORD = \n")
            with pytest.raises(LoadError, match=r"helpers.py:1: SyntaxError") as raised:
                await host.reload()
            assert "tools does not load" in str(raised.value)
            assert await host.call("one") == "other"
            save(tmp_path, helpers="WORD = 'third'\nGO = [1]\n")
            assert (await host.reload()).switched
            assert await host.call("one") == "third"

    within(30, main)


def test_what_runs_of_an_old_generation_goes_on_with_its_own_modules(
    within: Callable[..., Any], tmp_path: Path
) -> None:
    tools = """
        import threading
        import swarm_host
        import helpers

        def one():
            swarm_host.worker_context().progress("begun")
            go.wait()
            import helpers as again
            from late import LATE
            return [helpers.WORD, again.WORD, LATE]

        go = swarm_host.go_on
    """
    import threading

    go_on = swarm_host.go_on = threading.Event()

    async def main() -> None:
        async with beside(
            tmp_path, ONE, tools=tools, helpers="WORD = 'first'\n", late="LATE = 1\n"
        ) as host:
            old = host.spawn("one")
            async for _ in old.follow():
                break
            save(tmp_path, helpers="WORD = 'second'\n")
            assert (await host.reload()).switched
            go_on.set()
            assert await old.result() == ["first", "first", 1]
            assert await host.call("one") == ["second", "second", 1]

    within(30, main)
    del swarm_host.go_on


def test_names_are_of_the_script_of_the_process_and_of_packages(
    within: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = tmp_path / "site"
    info = site / "parcel-1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: parcel\nVersion: 1\n")
    (info / "entry_points.txt").write_text(
        "[swarm_host.workers]\nweigh = parcel:weigh\nparcel = parcel\n"
    )
    save(
        site,
        parcel="""
        import swarm_host

        def weigh(grams: int) -> int:
            return grams + 1

        @swarm_host.worker("stamp")
        def stamp():
            raise ValueError("no stamps")
        """,
    )
    monkeypatch.syspath_prepend(site)
    monkeypatch.setattr(registered, "_BY_NAME", {})
    monkeypatch.delitem(sys.modules, "parcel", raising=False)

    @swarm_host.worker("of the process")
    def of_the_process() -> str:
        return "here"

    lua = "".join(
        f'swarm.worker "{name}" {{ python = "{name}" }}\n'
        for name in ("weigh", "stamp", "of the process", "own")
    )
    lua += ONE  # order is free: it registers `own`

    async def main() -> None:
        async with beside(
            tmp_path,
            lua,
            tools="""
            import swarm_host

            @swarm_host.worker("own")
            def one():
                return 1
            """,
        ) as host:
            assert await host.call("weigh", 4) == 5
            assert await host.call("of the process") == "here"
            assert await host.call("own") == 1
            error = await error_of(host, "stamp")
            assert error["where"] == f"{site}/parcel.py:9"
        with pytest.raises(LoadError, match="there are of the process, parcel, stamp, weigh"):
            async with beside(tmp_path, 'swarm.worker "x" { python = "own" }'):
                pass

    within(30, main)


def test_a_name_is_given_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registered, "_BY_NAME", {})

    def one() -> None: ...

    def other() -> None: ...

    assert swarm_host.worker("x")(one) is one
    swarm_host.worker("x")(one)  # the module was loaded again
    with pytest.raises(ValueError, match=r"'x' is .*one already"):
        swarm_host.worker("x")(other)
    with pytest.raises(ValueError, match="has no colon"):
        swarm_host.worker("a:b")
    with pytest.raises(TypeError, match="takes a name"):
        swarm_host.worker(one)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="must be a function"):
        swarm_host.worker("y")(3)  # type: ignore[type-var]


def test_a_module_that_does_not_load_tells_its_own_lines(
    within: Callable[..., Any], tmp_path: Path
) -> None:
    async def main() -> None:
        for helpers, said in {
            "1 / 0\n": "helpers.py:1: ZeroDivisionError: division by zero\n  {}/tools.py:1: in",
            "def f(:\n": "helpers.py:1: SyntaxError: invalid syntax\n  {}/tools.py:1: in module",
            "import no_such_module\n": "helpers.py:1: ModuleNotFoundError: No module named",
            "raise SystemExit(2)\n": "helpers.py:1: SystemExit: 2",
        }.items():
            with pytest.raises(LoadError) as raised:
                async with beside(
                    tmp_path, ONE, tools="import helpers\ndef one(): pass\n", helpers=helpers
                ):
                    pass
            message = raised.value.error["message"]
            assert message.startswith('worker "one": python: module tools does not load: ')
            assert said.format(tmp_path) in message
            assert "_swarm_" not in message
            assert "importlib" not in message
            assert raised.value.error["where"] == f"{tmp_path}/script.lua:1"

    within(30, main)


def test_what_is_missing_or_broken_is_watched(within: Callable[..., Any], tmp_path: Path) -> None:
    async def main() -> None:
        path = tmp_path / "script.lua"
        path.write_text(ONE)
        host = Host(Options())
        async with host.pumping():
            with pytest.raises(LoadError, match="there is no module tools"):
                await host.load_script(path)
            assert f"{tmp_path}/tools.py" in host.watched()["missing"]
            save(tmp_path, tools="nonsense\n")
            with pytest.raises(LoadError, match="nonsense"):
                await host.reload()
            assert f"{tmp_path}/tools.py" in host.watched()["files"]
            save(tmp_path, tools="def one(): return 1\n")
            await host.reload()
            assert await host.call("one") == 1

    within(30, main)


def test_check_finds_what_is_wrong_with_each(tmp_path: Path) -> None:
    save(tmp_path, tools="def one(): pass\n", broken="import json\njson.loads('')\n")
    (tmp_path / "x.lua").write_text(
        'swarm.worker "a" {\n  python = "tools:two",\n}\n'
        'swarm.worker "b" { python = "nowhere:f" }\n'
        'swarm.worker "c" { python = "broken:f", pyton = 1 }\n'
        'swarm.worker "d" { python = "tools:one" }\n'
        "swarm.main(function() end)\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "swarm_host", "check", "x.lua"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert 'x.lua:2:3: error: worker "a": python: module tools has no two' in done.stdout
    assert 'x.lua:4:20: error: worker "b": python: there is no module nowhere' in done.stdout
    assert "module broken does not load: broken.py:2: JSONDecodeError" in done.stdout
    assert "did you mean python?" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


def test_a_run_resumed_gives_what_had_passed_and_hello_imports_none_of_it(tmp_path: Path) -> None:
    save(
        tmp_path,
        tools="""
        import pathlib

        def count(name):
            path = pathlib.Path(name)
            path.write_text(path.read_text() + "x" if path.exists() else "x")
            return len(path.read_text())

        def fails(name):
            if not pathlib.Path("go").exists():
                raise ValueError("not yet")
            return "went"
        """,
    )
    (tmp_path / "x.lua").write_text(
        'swarm.worker "count" { python = "tools:count" }\n'
        'swarm.worker "fails" { python = "tools:fails" }\n'
        'swarm.main(function() return { swarm.call("count", "n"), swarm.call("fails", "") } end)\n'
    )

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "swarm_host", *words],
            cwd=tmp_path,
            capture_output=True,
            text=True,
        )

    assert run("x.lua").returncode == 1
    (tmp_path / "go").touch()
    again = run("resume", "last")
    assert (again.returncode, again.stdout) == (0, '[1,"went"]\n')

    (tmp_path / "hello.lua").write_text('swarm.main(function() return "hello" end)')
    shown = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "swarm_host", "hello.lua"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert shown.stdout == "hello\n"
    assert "swarm_host.ports.registry" in shown.stderr
    assert "swarm_host.ports.python" not in shown.stderr
