"""What tests of the prompt share: scripts that ask, and terminals that they ask at."""

from __future__ import annotations

import os
import pwd
import termios
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.command_line import script
from tests.support.emulator import Emulator

ME = pwd.getpwuid(os.getuid()).pw_name

ASKS = """
swarm.worker "deploy" {
  label = "to {prompt}",
  run = function(ctx, where)
    ctx:progress("looking", "around")
    return swarm.ask("Deploy to " .. where .. "?", { choices = { "yes", "no" } })
  end,
}
swarm.main(function(args) return table.concat(swarm.map("deploy", args), " ") end)
"""
WHY = 'swarm.main(function() return swarm.ask("Why?", { default = "just so" }) end)'
OTHER_THINGS = """
swarm.worker "busy" {
  run = function()
    repeat swarm.sleep(0.01) until swarm.fs.exists "log"
    swarm.log.info "something else"
    repeat swarm.sleep(0.01) until swarm.fs.exists "end"
  end,
}
swarm.main(function()
  local busy = swarm.spawn "busy"
  local answer = swarm.ask "What?"
  swarm.join(busy)
  return answer
end)
"""


def prompts(shows: str) -> bool:
    """Whether a prompt stands there, with nothing typed."""
    return shows.endswith("\n>")


def asks(text: str) -> Callable[[str], bool]:
    return lambda shows: prompts(shows) and text in shows.rpartition("\n? ")[2]


def asked(shows: str) -> list[str]:
    """The lines of the prompt."""
    return ("\n" + shows).rpartition("\n? ")[2].splitlines()


@contextmanager
def at_terminal(
    folder: Path, text: str, *args: str, columns: int = 80, lines: int = 24
) -> Iterator[Emulator]:
    words = [one for one in args if one.startswith("--")]
    rest = [one for one in args if not one.startswith("--")]
    name = script(folder, text).name
    with Emulator(folder, *words, name, *rest, columns=columns, lines=lines) as terminal:
        yield terminal


def modes(terminal: Emulator) -> int:
    """Whether the terminal shows what is typed, and takes it by lines."""
    assert terminal._terminal is not None
    flags: int = termios.tcgetattr(terminal._terminal)[3]
    return flags & (termios.ECHO | termios.ICANON)


BOTH = termios.ECHO | termios.ICANON
