"""Pictures of what a run shows, for README and spec/host/view.md: twelve reviews at a terminal.

    python -m tests.support.pictures        makes them anew, to be looked at

The frame in the chapter, as text, is made in the same run.
"""

from __future__ import annotations

import re
import signal
import tempfile
from pathlib import Path

import pyte
from PIL import Image, ImageDraw, ImageFont

from tests.support.emulator import Emulator

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "spec" / "host" / "view.md"
FOLDER = ROOT / "spec" / "host" / "pictures"
BEGIN, END = "<!-- twelve -->\n", "<!-- /twelve -->\n"
FONTS = Path("/usr/share/fonts/truetype/dejavu")
SIZE = 15

Theme = dict[str, str]
DARK: Theme = {
    "background": "#1e1e2e",
    "default": "#d9e0ee",
    "red": "#f28fad",
    "green": "#abe9b3",
    "brown": "#fae3b0",
    "blue": "#96cdfb",
    "magenta": "#ddb6f2",
    "cyan": "#89dceb",
    "brightblack": "#8a8aa3",
}
LIGHT: Theme = {
    "background": "#ffffff",
    "default": "#24292f",
    "red": "#cf222e",
    "green": "#116329",
    "brown": "#7d4e00",
    "blue": "#0550ae",
    "magenta": "#8250df",
    "cyan": "#1b7c83",
    "brightblack": "#6e7781",
}

TWELVE = """\
local FILES = { "api", "cache", "auth", "cli", "db", "events", "http", "jobs", "mail", "web" }

swarm.worker "review" {
  label = "{input.file}.py",
  command = { "sh", "-c", [[
    for part in 1 2 3 4 5 6; do
      echo "reading part $part of 6" >&2
      sleep "$PACE"
      [ "$FILE.$SWARM_ATTEMPT.$part" = cache.1.2 ] && exit 1
    done
    exit 0
  ]] },
  env = { FILE = "{input.file}", PACE = "{input.pace}" },
  concurrency = 5,
  retries = { max = 1, backoff = 0.2 },
}

swarm.worker "lint" { shell = "sleep 0.5; echo '2 problems in db.py' >&2; exit 1" }
swarm.worker "types" { shell = "sleep 1" }

swarm.worker "report" {
  run = function(ctx, passed)
    for page = 1, 3 do
      ctx:progress("writing", "page " .. page .. " of 3")
      ctx:usage { input = 4100, output = 900, cost = 0.021 }
      swarm.sleep(0.4)
    end
    return passed .. " of 12 passed"
  end,
}

swarm.main(function()
  local all, passed = { swarm.spawn "lint", swarm.spawn "types" }, 0
  for i, file in ipairs(FILES) do
    all[#all + 1] = swarm.spawn("review", { file = file, pace = 0.1 * (2 + i % 4) })
  end
  for _, ended in ipairs(swarm.settle(all)) do
    passed = passed + (ended.status == "pass" and 1 or 0)
  end
  return swarm.call("report", passed)
end)
"""


def picture(screen: pyte.Screen, theme: Theme, path: Path) -> None:
    """Draws what a screen shows, without the lines below the last."""
    regular = ImageFont.truetype(str(FONTS / "DejaVuSansMono.ttf"), SIZE)
    bold = ImageFont.truetype(str(FONTS / "DejaVuSansMono-Bold.ttf"), SIZE)
    wide, high, edge = round(regular.getlength("m")), SIZE + 5, 10
    used = max((row for row in range(screen.lines) if screen.display[row].strip()), default=0) + 1
    size = (screen.columns * wide + 2 * edge, used * high + 2 * edge)
    image = Image.new("RGB", size, theme["background"])
    draw = ImageDraw.Draw(image)
    for row in range(used):
        for column in range(screen.columns):
            char = screen.buffer[row][column]
            if char.data.strip():
                place = (edge + column * wide, edge + row * high)
                font = bold if char.bold else regular
                draw.text(place, char.data, fill=theme.get(char.fg, theme["default"]), font=font)
    path.parent.mkdir(exist_ok=True)
    image.quantize(32).save(path, optimize=True)


def look(folder: Path, columns: int, lines: int, *words: str) -> tuple[pyte.Screen, pyte.Screen]:
    """The screen in the middle of the run of twelve, and at its end; what is faint is grey, which
    is all that the emulator knows."""
    (folder / "twelve.lua").write_text(TWELVE)
    with Emulator(folder, *words, "twelve.lua", columns=columns, lines=lines) as terminal:
        terminal.until(_is_rich)
        middle = _replayed(terminal.wrote, columns, lines)
        assert terminal.exit_status() == 0
        return middle, _replayed(terminal.wrote, columns, lines)


def _is_rich(shows: str) -> bool:
    """Whether there is much to see: somebody is tried again, and there are all kinds of rows."""
    return "attempt 2 reading" in " ".join(shows.split()) or "attempt 2 r" in shows


def _replayed(wrote: bytes, columns: int, lines: int) -> pyte.Screen:
    screen = pyte.Screen(columns, lines)
    pyte.ByteStream(screen).feed(re.sub(rb"\x1b\[2m", b"\x1b[90m", wrote))
    return screen


def text_of(screen: pyte.Screen) -> str:
    """What a screen shows."""
    return "\n".join(line.rstrip() for line in screen.display).rstrip()


def write() -> None:
    """Makes all of them."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        middle, end = look(folder, 80, 24)
        picture(middle, DARK, FOLDER / "tree-dark.png")
        picture(middle, LIGHT, FOLDER / "tree-light.png")
        picture(end, DARK, FOLDER / "summary-dark.png")
        narrow, _ = look(folder, 40, 24)
        picture(narrow, LIGHT, FOLDER / "tree-narrow.png")
    page = PAGE.read_text()
    before, after = page.split(BEGIN)[0], page.split(END)[1]
    shown = f"```text\n{text_of(middle)}\n```\n\nand at its end:\n\n```text\n{text_of(end)}\n```\n"
    PAGE.write_text(before + BEGIN + shown + END + after)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    write()
