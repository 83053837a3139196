"""No descendant of a process worker outlives its worker or the host, however either ends.

``SWARM_KILLS`` is how many random instants each of the kills is tried at.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import anyio
import pytest

from swarm_host.ports.process import children, guarding
from swarm_host.ports.process.guardian.owners import Attempt, Owners
from tests.support.families import guardian_of, wait_until_gone, with_word
from tests.support.processes import descriptors, loaded, lua, offspring
from tests.support.waiting import until, wait_for_end, within

KILLS = int(os.environ.get("SWARM_KILLS", "4"))

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="no subreaper: groups are all there is"
)

SHAPES = {
    "same group": "sleep WORD &",
    "own group": "timeout 600 sleep WORD &",
    "own session": "setsid sleep WORD &",
    "forked twice": "(setsid sh -c 'sleep WORD & exit' &)",
    "daemon": "(cd / && setsid sh -c 'setsid sleep WORD & exit' </dev/null >/dev/null 2>&1 &)",
    "no environment": "env -i sleep WORD &",
    "another's session": "setsid sh -c 'env -i sh -c \"sleep WORD & exit\"; sleep WORD' &",
    "deaf": "setsid sh -c 'trap \"\" TERM HUP; sleep WORD; sleep WORD' &",
    "stopped": "setsid sh -c 'sleep WORD & kill -STOP $$' &",
    "tmux": "tmux -L WORD -f /dev/null new-session -d 'exec sleep WORD'",
}


def word() -> str:
    """An argument of sleep that no other process has."""
    return f"{random.randrange(10**8, 10**9)}"


@pytest.fixture
def token() -> Iterator[str]:
    one = word()
    yield one
    end = time.monotonic() + 5
    while with_word(one) and time.monotonic() < end:
        time.sleep(0.01)  # one that was about to run its program is found when it does
    left = with_word(one)
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    assert left == []


@pytest.mark.parametrize("ends", ["ends", "is cancelled", "runs out of time"])
@pytest.mark.parametrize("shape", SHAPES)
def test_nobody_outlives_the_worker(tmp_path: Path, token: str, shape: str, ends: str) -> None:
    if shape == "tmux" and shutil.which("tmux") is None:
        pytest.skip("no tmux here")
    go = tmp_path / "go"
    shell = f"{SHAPES[shape]}\nwhile [ ! -e {go} ]; do sleep 0.01; done".replace("WORD", token)
    timeout = "timeout = 1.5," if ends == "runs out of time" else ""
    script = f"""swarm.worker "w" {{ {timeout} kill_after = 0.3, shell = {lua(shell)} }}"""

    def sleeps() -> bool:
        for pid in with_word(token):
            with suppress(OSError):  # it has ended meanwhile
                if Path(f"/proc/{pid}/cmdline").read_bytes() == f"sleep\0{token}\0".encode():
                    return True
        return False

    async def main() -> None:
        async with loaded(tmp_path, script) as host:
            worker = host.spawn("w")
            if ends != "runs out of time":
                await until(sleeps)
            if ends == "ends":
                go.touch()
            elif ends == "is cancelled":
                worker.cancel()
            outcome = await worker.wait()
            assert with_word(token) == []
            expected = {"ends": "pass", "is cancelled": "cancelled", "runs out of time": "timeout"}
            assert outcome.status == expected[ends]

    within(20, main)


def test_who_bears_no_trace_of_its_worker_ends_with_the_run(tmp_path: Path, token: str) -> None:
    """Its parent ended before anybody looked, and it has a session and environment of its own."""
    shell = f"env -i setsid sh -c 'sleep {token}' >/dev/null 2>&1 & sleep 0.3"

    async def main() -> None:
        async with loaded(tmp_path, f"swarm.worker 'w' {{ shell = {lua(shell)} }}") as host:
            assert (await host.spawn("w").wait()).status == "pass"
        assert with_word(token) == []

    within(20, main)


def test_others_are_left_alone(tmp_path: Path) -> None:
    """The end of one attempt is not that of another, nor of what another left in the background."""
    one, other = word(), word()
    script = f"""
    swarm.worker "one" {{ shell = "setsid sleep {one} & sleep 0.2" }}
    swarm.worker "other" {{ shell = "setsid sleep {other} & sleep 600", kill_after = 0.3 }}
    """

    async def main() -> None:
        async with loaded(tmp_path, script) as host:
            kept = host.spawn("other")
            await until(lambda: len(with_word(f"sleep\0{other}")) == 1)
            for _ in range(3):
                assert (await host.spawn("one").wait()).status == "pass"
                assert with_word(one) == []
                assert len(with_word(f"sleep\0{other}")) == 1
            kept.cancel()
            await kept.wait()
            assert with_word(other) == []

    within(20, main)


@pytest.mark.parametrize(
    "code",
    [
        # Each forks on, in a session of its own, and ends: nobody is there for long.
        "import os, sys\nwhile True:\n    if os.fork():\n        os._exit(0)\n    os.setsid()\n",
        # A storm: each has two children, up to a depth.
        "import os, time\nfor _ in range(8):\n    os.fork()\ntime.sleep(600)\n",
        # A thousand daemons that do not hear SIGTERM.
        "import os, signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "for _ in range(1000):\n    if os.fork() == 0:\n        os.setsid()\n"
        "        if os.fork():\n            os._exit(0)\n        time.sleep(600)\n",
    ],
    ids=["runs away", "storm", "daemons"],
)
def test_many_are_ended_soon(tmp_path: Path, token: str, code: str) -> None:
    command = f"command = {{ {lua(sys.executable)}, '-I', '-S', '-c', {lua(code)}, '{token}' }}"
    script = f"swarm.worker 'w' {{ kill_after = 0.2, {command} }}"

    async def main() -> None:
        async with loaded(tmp_path, script) as host:
            worker = host.spawn("w")
            await until(lambda: len(with_word(token)) > 0)
            await anyio.sleep(1)
            worker.cancel()
            await worker.wait()
            assert with_word(token) == []

    within(60, main)


def test_a_start_that_is_cancelled_leaves_nothing(tmp_path: Path, token: str) -> None:
    async def main() -> None:
        starter = children.Children()
        first = await _start(starter, "exit 0")
        await first.end(0)
        first.close()
        before = descriptors()
        for attempt in range(60):
            with anyio.move_on_after(random.uniform(0, 0.004)):
                child = await _start(
                    starter, f"sleep {token} & sleep {token}", "x" * attempt * 9999
                )
                with anyio.CancelScope(shield=True):
                    await child.end(0)
                child.close()
            assert with_word(token) == []
        assert descriptors() <= before
        await starter.aclose()

    within(60, main)


async def _start(starter: children.Children, shell: str, large: str = "") -> children.Child:
    child = await starter.start(
        [
            b"sh",
            b"-c",
            shell.encode(),
            *([large[at : at + 99999].encode() for at in range(0, len(large), 99999)]),
        ],
        program=b"/bin/sh",
        environment=dict(os.environb),
        folder=None,
        has_input=False,
    )
    try:
        await child.started()
    except BaseException:
        child.close()
        raise
    return child


def test_limits_hold_and_a_terminal_is_the_child_s(token: str) -> None:
    async def said(shell: str, **wish: object) -> tuple[str, children.Exit]:
        child = await starter.start(
            [b"sh", b"-c", shell.encode()],
            program=b"/bin/sh",
            environment=dict(os.environb),
            folder=b"/",
            has_input=True,
            **wish,  # type: ignore[arg-type]
        )
        await child.started()
        assert child.stdin is not None
        assert child.stdout is not None
        os.write(child.stdin, b"some\nwords" + child.end_of_input)
        child.close_stdin()
        await child.exited()
        text = os.read(child.stdout, 9999).decode()
        ended = await child.end(0)
        child.close()
        return text, ended

    async def main() -> None:
        text, _ = await said("ulimit -n; ulimit -Hn; pwd; cat", limits={"nofile": 50})
        assert text == "50\n50\n/\nsome\nwords"
        _, ended = await said("while :; do :; done", limits={"cpu": 1})
        assert ended == children.Exit(None, "SIGKILL")
        text, _ = await said("stty size; cat; : </dev/tty; test -t 2", terminal=(33, 44))
        assert text == "33 44\nsome\nwords"
        child = await starter.start(
            [b"x"],
            program=b"/nowhere",
            environment={},
            folder=None,
            has_input=False,
            limits={"core": 0},
        )
        with pytest.raises(FileNotFoundError):
            await child.started()
        child.close()

    async def all_of_it() -> None:
        await main()
        await starter.aclose()

    starter = children.Children()
    within(20, all_of_it)


def test_a_host_within_a_host_leaves_nobody(tmp_path: Path, token: str) -> None:
    """The inner one and its guardian are killed with the outer worker; both marks are there."""
    inner = tmp_path / "inner.lua"
    shell = f"setsid sleep {token} & sleep {token}"
    inner.write_text(
        f"swarm.worker 'w' {{ shell = {lua(shell)} }} swarm.main(function() swarm.call 'w' end)"
    )
    command = f"{{ {lua(sys.executable)}, '-m', 'swarm_host', {lua(inner)} }}"
    script = f"swarm.worker 'host' {{ command = {command}, kill_after = KILL_AFTER }}"

    async def main() -> None:
        for kill_after in ("5", "0"):
            async with loaded(tmp_path, script.replace("KILL_AFTER", kill_after)) as host:
                worker = host.spawn("host")
                await until(lambda: len(with_word(f"sleep\0{token}")) == 2)
                worker.cancel()
                await worker.wait()
                assert with_word(token) == []

    within(60, main)


def test_nothing_is_leaked_and_a_script_without_processes_has_no_guardian(tmp_path: Path) -> None:
    script = """
    swarm.worker "w" { shell = "exit 3" }
    swarm.worker "none" { run = function() return 1 end }
    """
    before = set(offspring())

    async def main() -> None:
        async with loaded(tmp_path, script) as host:
            await host.call("none")
            assert set(offspring()) <= before
            await host.spawn("w").wait()
            (warden,) = set(offspring()) - before
            _, starter = guardian_of(os.getpid())

            def held() -> tuple[int, ...]:
                return descriptors(), _descriptors_of(warden), _descriptors_of(starter)

            at_rest = held()  # or what is just being closed, too
            for _ in range(50):
                await host.spawn("w").wait()
            await until(
                lambda: (
                    all(now <= before for now, before in zip(held(), at_rest, strict=True))
                    and children_left(starter) == []
                )
            )

    within(60, main)
    assert set(offspring()) <= before


def children_left(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


def _descriptors_of(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def test_a_child_has_no_descriptor_but_its_own(tmp_path: Path) -> None:
    script = """swarm.worker "w" { shell = "ls -l /proc/self/fd", output = { format = "text" } }"""

    async def main() -> None:
        async with loaded(tmp_path, script) as host:
            for _ in range(2):
                lines = [one for one in (await host.call("w")).splitlines() if "->" in one]
                assert [one.split()[-3] for one in lines] == ["0", "1", "2", "3"]
                assert "/proc/" in lines[3]  # what it reads

    within(20, main)


def test_a_relative_folder_is_below_the_hosts_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path.resolve()
    (here / "below").mkdir()
    monkeypatch.chdir(here)
    script = """
      for _, folder in ipairs { ".", "below", "./below/.." } do
        swarm.worker(folder) { cwd = folder, shell = "pwd -P", output = { format = "text" } }
      end
    """

    async def main() -> None:
        async with loaded(tmp_path, script) as host:
            assert await host.call(".") == str(here)
            assert await host.call("below") == str(here / "below")
            assert await host.call("./below/..") == str(here)

    within(20, main)


WITHOUT_SUBREAPERS = """
import importlib.util
spec = importlib.util.spec_from_file_location("main", {program!r})
main = importlib.util.module_from_spec(spec)
spec.loader.exec_module(main)
main.find_package()
from swarm_host.ports.process.guardian import family
family.become_subreaper = lambda: False
main.main()
"""


def test_where_nobody_tells_of_orphans_groups_are_ended_and_that_is_said_once(
    tmp_path: Path, token: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    program = tmp_path / "main.py"
    program.write_text(WITHOUT_SUBREAPERS.format(program=str(guarding.PROGRAM)))
    monkeypatch.setattr(guarding, "PROGRAM", program)
    script = f"""
    swarm.worker "passes" {{ shell = "sleep {token} & exit 0" }}
    swarm.worker "deaf" {{ kill_after = 0.2, shell = "trap '' TERM; sleep {token} & exit 0" }}
    swarm.worker "naps" {{ shell = "sleep {token}" }}
    """

    async def main() -> None:
        async with loaded(tmp_path, script) as host:
            for _ in range(2):
                assert (await host.spawn("passes").wait()).status == "pass"
                assert (await host.spawn("deaf").wait()).status == "pass"
                assert with_word(f"sleep\0{token}") == []
            nap = host.spawn("naps")
            await until(lambda: len(with_word(f"sleep\0{token}")) == 1)
            nap.cancel()
            await nap.wait()
            assert with_word(token) == []
            host.spawn("naps")
            await until(lambda: len(with_word(f"sleep\0{token}")) == 1)
            guarding.kill_all()
            assert with_word(token) == []

    guarding._warn.cache_clear()
    within(20, main)
    said = [record.message for record in caplog.records if "process group" in record.message]
    assert said == [guarding.UNGUARDED]


# Kills. -------------------------------------------------------------------------------------------

MANY = """
local shapes = { SHAPES }
for i = 1, 20 do
  swarm.worker("w" .. i, { shell = shapes[i % #shapes + 1] .. "\\nsleep WORD" })
end
swarm.main(function()
  for i = 1, 20 do swarm.spawn("w" .. i) end
  print "begun"
  swarm.sleep(600)
end)
"""


@pytest.fixture
def many(
    tmp_path: Path, token: str, request: pytest.FixtureRequest
) -> Iterator[subprocess.Popen[bytes]]:
    """A host with 20 workers of all shapes; where nobody is left but who looks for marks, of all
    that have one."""
    without = {"tmux"}
    if "warden+starter" in request.node.callspec.params["killed"]:
        without |= {"no environment", "another's session"}
    shapes = [shape for name, shape in SHAPES.items() if name not in without]
    text = MANY.replace("SHAPES", ", ".join(map(lua, shapes)))
    script = tmp_path / "script.lua"
    script.write_text(text.replace("WORD", token))
    with subprocess.Popen(
        [sys.executable, "-m", "swarm_host", str(script)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as host:
        yield host
        host.kill()


@pytest.mark.parametrize("attempt", range(KILLS))
@pytest.mark.parametrize(
    "killed",
    [
        *("host", "warden", "starter", "host+warden", "host+starter", "warden+starter"),
        "host+warden+starter",
    ],
)
def test_a_kill_at_any_instant_leaves_nobody(
    many: subprocess.Popen[bytes], token: str, killed: str, attempt: int
) -> None:
    assert many.stdout is not None
    early = attempt % 3 == 0  # while the guardian starts, and the first children
    if not early:
        many.stdout.readline()
    deadline = time.monotonic() + 20
    while not (guardian := guardian_of(many.pid)) and (killed != "host" or not early):
        assert time.monotonic() < deadline
        time.sleep(0.001)
    time.sleep(random.uniform(0, 0.05 if early else 0.4))
    guardian = guardian_of(many.pid)
    names = dict(zip(("host", "warden", "starter"), (many.pid, *guardian), strict=False))
    for name in killed.split("+"):
        if name in names:
            with suppress(ProcessLookupError):  # it ends by itself at the end of the others
                os.kill(names[name], signal.SIGKILL)
    if "host" in killed:
        many.wait()
        wait_until_gone(token)
        for pid in guardian:  # it may have been about to begin
            wait_for_end(pid)
    else:
        wait_until_gone(token)
        many.terminate()
        many.wait(20)
        wait_until_gone(token)


def test_a_session_whose_number_is_given_out_anew_belongs_to_the_newer() -> None:
    """A service that has outlived a session of its own, whose number the system uses again."""
    owners = Owners(b"run", adopts=False)
    older, newer, number = Attempt(-1, []), Attempt(-1, []), 2**30
    owners.begin(older, 1, number)
    owners.begin(newer, 2, number)
    owners.forget(older)
    owners.forget(newer)
