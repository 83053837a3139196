"""Plays the session of spec/host/reload.md at a real terminal, and writes it into the page.

    python -m tests.support.reload_session

The page has the steps, what is saved in each, and what the screen showed, times left out.
"""

from __future__ import annotations

import re
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.support.saving import by_rename
from tests.support.terminal import Terminal

PAGE = Path(__file__).resolve().parents[2] / "spec" / "host" / "reload.md"
BEGIN, END = "<!-- session -->\n", "<!-- /session -->\n"

RULES = """return { unit = "bytes" }
"""

APP = """local rules = require "rules"

swarm.role "reader" { extends = "worker", deny = { "run_process" } }

swarm.worker "count" {
  role = "reader",
  run = function(_, text)
    return #text .. " " .. rules.unit
  end,
}

swarm.worker "listen" {
  role = "reader",
  run = function()
    repeat
      swarm.sleep(0.01)
    until swarm.fs.exists "letter.txt"
    return swarm.fs.read "letter.txt"
  end,
}

swarm.main(function()
  local letter, shown = swarm.spawn "listen", nil
  repeat
    local count = swarm.call("count", "hello")
    if count ~= shown then
      print("count says " .. count)
      shown = count
    end
    swarm.sleep(0.01)
  until letter.status ~= "running" and letter.status ~= "pending"
  return "the letter: " .. swarm.result(letter)
end)
"""


@dataclass(frozen=True)
class Step:
    """One thing that the author does.

    :ivar title: what it is.
    :ivar file: the file that is saved.
    :ivar old: what stands in it.
    :ivar new: what stands there afterwards; None: the file is deleted.
    :ivar shows: what is waited for on the screen, in any order.
    """

    title: str
    file: str
    old: str
    new: str | None
    shows: tuple[str, ...]


RELOADED = r"reload: generation \d+ in .*\n"

STEPS = (
    Step(
        "**Edit.** The next spawn is the new one; `main` and `listen` go on as they are.",
        "app.lua",
        '    return #text .. " "',
        '    return "about " .. #text .. " "',
        (RELOADED, "count says about 5 bytes\n"),
    ),
    Step(
        "**Break.** What is there stays.",
        "app.lua",
        '    return "about " .. #text .. " "',
        '    return "about " .. #text = " "',
        (r"reload failed(.*\n){4}",),
    ),
    Step(
        "**Mend.**",
        "app.lua",
        '    return "about " .. #text = " "',
        '    return "some " .. #text .. " "',
        (RELOADED, "count says some 5 bytes\n"),
    ),
    Step(
        "**Rename a worker in use.** `main` still calls `count`: a name that the newest generation "
        "lacks means the one in the caller's own.",
        "app.lua",
        'swarm.worker "count"',
        'swarm.worker "measure"',
        (RELOADED, "count says 5 bytes\n"),
    ),
    Step(
        "**Delete a module.**",
        "rules.lua",
        RULES,
        None,
        (r"reload failed(.*\n){11}",),
    ),
    Step(
        "**Bring it back**, with something else in it.",
        "rules.lua",
        "",
        RULES.replace("bytes", "letters"),
        (RELOADED,),
    ),
    Step(
        "**Change a role** so that the running `listen` would not be allowed any more. It was "
        "spawned before, and keeps the rights that it was given.",
        "app.lua",
        'deny = { "run_process" }',
        'deny = { "run_process", "read_files" }',
        (RELOADED,),
    ),
    Step(
        "**The letter comes**: `listen`, of generation 1, reads it, and the run is over.",
        "letter.txt",
        "",
        "dear all\n",
        ("the letter: dear all\n",),
    ),
)

_REDRAWN = re.compile(r"\r[^\n]*?\x1b\[K|\x1b\[[0-9;]*[A-Za-z]")
_TIMES = re.compile(r"\bin \d+ ms\b")
_DRAINS = re.compile(r"; \d+ workers? drains? \(generations? [\d, ]+\)")


def plain(said: str) -> str:
    """What a screen shows in the end: no line of progress, no colours, no times."""
    text = _TIMES.sub("in .. ms", _REDRAWN.sub("", said))
    # How many `count` are just at work is a matter of the moment.
    return _DRAINS.sub("; .. workers drain", text)


def fence(kind: str, text: str) -> str:
    """A block of the page."""
    return f"```{kind}\n{text.rstrip()}\n```\n"


def shown(text: str) -> str:
    """The lines of a step: first what swarm-host says, then the script, as they may cross."""
    lines = plain(text).splitlines()
    ours = [line for line in lines if not line.startswith(("count says", "the letter"))]
    theirs = [line for line in lines if line.startswith(("count says", "the letter"))]
    # Whether a `count` was at work in a generation of its own is a matter of the moment, too.
    ours = [line for line in ours if not line.endswith("has drained")]
    return "\n".join([*ours, *theirs])


def edit(path: Path, step: Step) -> str:
    """Does what a step does, and says it as a difference."""
    if step.new is None:
        path.unlink()
        return f"$ rm {step.file}"
    if not step.old:
        by_rename(path, step.new)
        return f"$ echo '{step.new.strip()}' > {step.file}"
    text = path.read_text()
    assert step.old in text, step.title
    by_rename(path, text.replace(step.old, step.new))
    return f"- {step.old.strip()}\n+ {step.new.strip()}"


def play() -> str:
    """The part of the page between the marks."""
    parts = [f"```lua file=rules.lua\n{RULES}```\n", f"```lua file=app.lua\n{APP}```\n"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "rules.lua").write_text(RULES)
        (folder / "app.lua").write_text(APP)
        # What is live at some moment is no part of the page.
        with Terminal(folder, "--view=off", "app.lua", terminal=True) as session:
            session.expect("count says 5 bytes\n")
            parts.append(fence("text", f"$ swarm-host app.lua\n{shown(session.said)}"))
            for step in STEPS:
                before = len(session.said)
                done = edit(folder / step.file, step)
                session.expect_all(*step.shows)
                if step is STEPS[-1]:
                    assert session.exit_status() == 0
                kind = "text" if done.startswith("$") else "diff"
                parts += [
                    f"{step.title}\n",
                    fence(kind, done),
                    fence("text", shown(session.said[before:])),
                ]
    return "\n".join(parts)


def in_page() -> str:
    """The same part as the page has it."""
    return PAGE.read_text().partition(BEGIN)[2].partition(END)[0]


def main() -> int:
    """Rewrites the page."""
    text = PAGE.read_text()
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{BEGIN}\n{play()}\n{END}{after}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
