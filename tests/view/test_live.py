"""The frame at the bottom of a terminal, drawn on a screen: nothing is left of an old one, and
what was written before and meanwhile stands above it, whole."""

from __future__ import annotations

import random

import pyte
import pytest

from swarm_host.view.fronts.live import Live


class Terminal:
    """A screen that a frame stands on.

    :ivar said: the lines that were written, a last one without its end too.
    """

    def __init__(self, columns: int = 20, lines: int = 12) -> None:
        self.screen = pyte.HistoryScreen(columns, lines, history=10000)
        self.screen.set_mode(pyte.modes.LNM)  # as the system's terminals do: a line end goes left
        self.stream = pyte.ByteStream(self.screen)
        self.live = Live("utf-8")
        self.columns = columns
        self.said = ""

    def write(self, text: str) -> None:
        self.said += text
        self.stream.feed(self.live.around(text.encode(), self.columns - 1))

    def draw(self, *lines: str) -> None:
        self.stream.feed(self.live.draw(lines, self.columns - 1))

    def shows(self) -> list[str]:
        """All lines that there are, those above the screen too."""
        above = [
            "".join(row[column].data for column in range(self.columns)).rstrip()
            for row in self.screen.history.top
        ]
        lines = [*above, *(line.rstrip() for line in self.screen.display)]
        while lines and not lines[-1]:
            lines.pop()
        return lines


def test_a_frame_takes_the_place_of_the_one_before() -> None:
    terminal = Terminal()
    terminal.write("before\n")
    terminal.draw("one", "two", "three")
    assert terminal.shows() == ["before", "one", "two", "three"]
    terminal.draw("1")
    assert terminal.shows() == ["before", "1"]
    terminal.draw("a", "b")
    assert terminal.shows() == ["before", "a", "b"]
    terminal.draw()
    assert terminal.shows() == ["before"]
    assert not terminal.live.stands


def test_the_same_frame_is_not_drawn_again() -> None:
    live = Live("utf-8")
    assert live.draw(["one"], 20)
    assert live.draw(["one"], 20) == b""
    assert live.draw(["one"], 10)


def test_what_is_written_meanwhile_stands_above() -> None:
    terminal = Terminal()
    terminal.draw("one", "two")
    terminal.write("a log\n")
    assert terminal.shows() == ["a log", "one", "two"]
    terminal.write("and one\nmore\n")
    assert terminal.shows() == ["a log", "and one", "more", "one", "two"]
    terminal.draw()
    assert terminal.shows() == ["a log", "and one", "more"]


def test_a_line_that_has_no_end_yet_stays_whole() -> None:
    terminal = Terminal()
    terminal.write("name: ")
    terminal.draw("one", "two")
    assert terminal.shows() == ["name:", "one", "two"]
    terminal.write("swarm")
    assert terminal.shows() == ["name: swarm", "one", "two"]
    terminal.draw("1")
    terminal.write("-host\nnext")
    assert terminal.shows() == ["name: swarm-host", "next", "1"]
    terminal.draw()
    terminal.write(" line\n")
    assert terminal.shows() == ["name: swarm-host", "next line"]


@pytest.mark.parametrize("text", ["x" * 30, "x\x1b[2Ky", "x" * 10_000])
def test_a_line_that_cannot_be_written_anew_ends_where_a_frame_begins(text: str) -> None:
    terminal = Terminal(columns=20)
    terminal.write(text)
    terminal.draw("one")
    terminal.write("more\n")
    assert terminal.shows()[-2:] == ["more", "one"]


@pytest.mark.parametrize(
    ("text", "stands"),
    [("x\x1b[1mbold\x1b[0m", "xbold more"), ("50%\r60%", "60% more"), ("a\tb", "a       b more")],
)
def test_colours_tabs_and_what_was_written_over_stay_in_their_line(text: str, stands: str) -> None:
    terminal = Terminal(columns=20)
    terminal.write(text)
    terminal.draw("one")
    terminal.write(" more\n")
    assert terminal.shows() == [stands, "one"]


def test_a_line_without_end_of_any_length_is_not_kept() -> None:
    live = Live("utf-8")
    for _ in range(10_000):
        live.around(b"#" * 1000, 80)
    assert len(live._open) <= 4096


def test_long_lines_are_broken_above_and_not_in_the_frame() -> None:
    terminal = Terminal(columns=10)
    terminal.draw("123456789", "frame")
    terminal.write("abcdefghijklmno\n")
    assert terminal.shows() == ["abcdefghij", "klmno", "123456789", "frame"]


def test_a_terminal_that_has_become_narrower_has_broken_the_frame() -> None:
    live = Live("utf-8")
    live.draw(["x" * 19, "y" * 5], 19)
    assert live.draw(["z"], 9).count(b"\x1b[3A") == 1  # 19 columns are three rows of nine


@pytest.mark.parametrize("seed", range(60))
def test_whatever_comes_in_whatever_order_nothing_is_lost_and_nothing_left(seed: int) -> None:
    dice = random.Random(seed)
    terminal = Terminal(columns=24, lines=10)
    frame: list[str] = []
    for number in range(60):
        what = dice.random()
        if what < 0.5:
            text = f"line {number}" + ("\n" if dice.random() < 0.7 else " ")
            # A line without an end that is too wide to be written anew would be ended.
            if len(terminal.said.rpartition("\n")[2]) + len(text) > 20:
                text = f"\n{text}"
            terminal.write(text)
        elif what < 0.9:
            frame = [f"frame {number} {place}" for place in range(dice.randrange(1, 7))]
            terminal.draw(*frame)
        else:
            frame = []
            terminal.draw()
    said = [line.rstrip() for line in terminal.said.split("\n")]
    if not said[-1]:
        said.pop()
    assert terminal.shows() == [*said, *frame]


def screen_of(columns: int) -> tuple[pyte.Screen, pyte.ByteStream]:
    screen = pyte.Screen(columns, 20)
    return screen, pyte.ByteStream(screen)


def shown(screen: pyte.Screen) -> list[str]:
    return [line.rstrip() for line in screen.display if line.strip()]


def test_an_open_line_that_no_longer_fits_stays_above_one_frame() -> None:
    live = Live("utf-8")
    screen, stream = screen_of(80)
    stream.feed(live.around(b"x" * 60, 79))
    stream.feed(live.draw(["frame"], 79))
    screen.resize(20, 41)
    stream.feed(live.draw(["frame"], 40))
    assert shown(screen).count("frame") == 1


def test_what_is_written_over_is_shown_above_the_frame() -> None:
    live = Live("utf-8")
    screen, stream = screen_of(80)
    stream.feed(live.draw(["frame"], 79))
    for data, said in ((b"50%\r", "50%"), (b"100%\r", "100%"), (b"\r\n", "100%")):
        stream.feed(live.around(data, 79))
        assert shown(screen) == [said, "frame"]
    stream.feed(live.draw([], 79))
    assert shown(screen) == ["100%"]
