"""What spec/kinds/agents.md says of agents over ACP, from outside: the extra, and what is left."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from pathlib import Path

import anyio
import pytest

from swarm_host.ports.process.acp.outbox import MOST_UNREAD, Outbox
from tests.support.command_line import popen, run, script
from tests.support.families import wait_until_gone

FAKES = Path(__file__).resolve().parents[1] / "fakes" / "bin"

AGENT = """
swarm.agent "fake" { command = { "acp-agent" }, protocol = "acp" }
swarm.worker "x" { agent = "fake", kill_after = 0.3, permissions = "all" }
"""

HIDES_THE_PACKAGE = """
import sys
sys.modules["acp"] = None  # as where it is not installed
from swarm_host.cli import main
main()
"""

LISTS_WHAT_IS_IMPORTED = """
import anyio, sys
from swarm_host import Host

async def play():
    async with Host.load(sys.argv[1]) as host:
        print(await host.call("x", "look"), "acp" in sys.modules)
        print(await host.call("y", "look"), "acp" in sys.modules)

anyio.run(play)
"""


@pytest.fixture(autouse=True)
def _fakes(monkeypatch: pytest.MonkeyPatch) -> None:
    folders = [str(FAKES), str(Path(sys.executable).parent), os.environ["PATH"]]
    monkeypatch.setenv("PATH", os.pathsep.join(folders))


def python(text: str, *arguments: str | Path) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-c", text, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, timeout=60)


def test_without_the_extra_an_attempt_names_it(tmp_path: Path) -> None:
    text = AGENT + 'swarm.main(function() return swarm.call("x", "look") end)'
    done = python(HIDES_THE_PACKAGE, script(tmp_path, text))
    assert done.returncode == 1
    assert b"""worker "x": an agent over ACP needs an extra: pip install 'swarm-host[acp]'""" in (
        done.stderr
    )
    assert b"Traceback" not in done.stderr


def test_the_package_is_imported_with_the_first_agent_that_needs_it(tmp_path: Path) -> None:
    text = """
    swarm.worker "x" { agent = "gemini" }
    swarm.worker "y" { agent = "gemini", protocol = "acp" }
    """
    done = python(LISTS_WHAT_IS_IMPORTED, script(tmp_path, text))
    assert done.stdout == b"you said: look False\nyou said: look True\n", done.stderr


@pytest.mark.anyio
async def test_what_an_agent_does_not_read_is_bounded() -> None:
    outbox = Outbox()
    await outbox.until_read(30)
    for _ in range(2):
        outbox.send(b"x" * MOST_UNREAD)
    async with anyio.create_task_group() as tasks:
        read = anyio.Event()

        async def wait() -> None:
            await outbox.until_read(30)
            read.set()

        tasks.start_soon(wait)
        await anyio.wait_all_tasks_blocked()
        assert not read.is_set()
        assert await outbox.receive() == ({"input": True}, b"x" * MOST_UNREAD)
        outbox.took()
        await read.wait()


@pytest.mark.parametrize("end", ["it passes", "it is cancelled", "its host is killed"])
def test_a_terminal_ends_with_its_agent(end: str, tmp_path: Path) -> None:
    word = f"left-{uuid.uuid4()}"
    prompt = f"leave sh -c sleep${{IFS}}1000&wait {word}"
    body = {
        "it passes": "h:join()",
        "it is cancelled": 'swarm.cancel(h, "enough", { wait = true })',
        "its host is killed": "print('ready') h:join()",
    }[end]
    hangs = "" if end == "it passes" else "\\nhang"
    text = f"""{AGENT}
    swarm.main(function()
      local h = swarm.spawn("x", "{prompt}{hangs}")
      for event in h:follow() do
        if event.type == "partial" and event.chunk.value == "left\\n" then
          break
        end
      end
      {body}
      return h.status
    end)
    """
    path = script(tmp_path, text)
    if end == "its host is killed":
        with popen(path) as host:
            assert host.stdout is not None
            assert host.stdout.readline() == b"ready\n"
    else:
        done = run(path)
        wanted = b"pass\n" if end == "it passes" else b"cancelled\n"
        assert done.stdout == wanted, done.stderr
    wait_until_gone(word)


def test_a_refusal_and_a_denial_are_logged_once_a_worker(tmp_path: Path) -> None:
    text = """
    swarm.agent "fake" { command = { "acp-agent" }, protocol = "acp" }
    swarm.role "reads" { extends = "worker", allow = { read_files = { "src/**" } } }
    swarm.worker "x" { agent = "fake", role = "reads", permissions = "read" }
    swarm.main(function()
      local prompt = "permit edit allow_once reject_once\\nread /etc/passwd\\nread /etc/hosts"
      for _ = 1, 2 do
        swarm.call("x", prompt)
      end
    end)
    """
    said = run(script(tmp_path, text)).stderr.decode()
    assert said.count('worker "x": agent fake was denied "Some edit": permissions = "read"') == 1
    assert said.count('worker "x": agent fake was refused: /etc/passwd is out of bounds') == 1
    assert said.count("was refused") == 1


def test_what_an_agent_writes_to_stderr_is_told(tmp_path: Path) -> None:
    text = """
    swarm.worker "x" {
      agent = { command = { "sh", "-c", "echo remark >&2; exec acp-agent" }, protocol = "acp" },
    }
    swarm.main(function()
      local h = swarm.spawn("x", "look")
      h:result()
      return h:output_tail()[1].note
    end)
    """
    assert run(script(tmp_path, text)).stdout == b"remark\n"
