"""The frames of the live view, as golden files, and what holds for each of them."""

from __future__ import annotations

import pytest
import wcwidth
from hypothesis import given, settings
from hypothesis import strategies as st

from swarm_host.view.fronts.tree import Look, frame
from tests.support.frames import FOLDER, FRAMES, LOOKS, PICTURES, counts, lines_of, path_of


@pytest.mark.parametrize(("picture", "columns", "look"), FRAMES)
def test_a_frame_is_as_it_was_looked_at(picture: str, columns: int, look: str) -> None:
    kept = path_of(picture, columns, look).read_text()
    lines = lines_of(picture, columns, look)
    assert "".join(f"{line}\n" for line in lines) == kept, "python -m tests.support.frames"


def test_no_frame_is_kept_that_nobody_makes() -> None:
    assert {path.name for path in FOLDER.iterdir()} == {path_of(*one).name for one in FRAMES}


@pytest.mark.parametrize("columns", [*range(1, 100), 200, 1000])
@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("picture", PICTURES)
def test_no_line_is_wider_than_the_terminal(picture: str, columns: int, look: str) -> None:
    for line in lines_of(picture, columns, look):
        assert wcwidth.width(line) <= columns, line


TEXT = st.text(max_size=60)
ROW = st.fixed_dictionaries(
    {
        "depth": st.integers(0, 64),
        "name": TEXT,
        "label": st.none() | TEXT,
        "status": st.sampled_from(["running", "pending", "failed", "timeout"]),
        "seconds": st.none() | st.floats(0, 1e9),
        "attempt": st.none() | st.integers(1, 10**6),
        "stage": st.none() | TEXT | st.just("stderr"),
        "note": st.none() | TEXT,
        "said": st.none() | TEXT,
        "reason": st.none() | TEXT,
        "running": st.integers(0, 10**6),
    }
)


@settings(max_examples=300, deadline=None)
@given(st.lists(ROW, max_size=12), st.integers(1, 120), st.sampled_from(list(LOOKS.values())))
def test_whatever_workers_say_a_row_is_one_line_that_fits(
    rows: list[dict[str, object]], columns: int, look: Look
) -> None:
    lines = frame(rows, counts(1, 1, 0, 0, 0, 0, 0), 1, columns, look)
    assert len(lines) == len(rows) + 1
    for line in lines:
        plain = wcwidth.strip_sequences(line) if look.colours else line
        assert plain.isascii() or not any(0x80 <= ord(one) < 0xA0 for one in plain)
        assert "\n" not in plain
        assert "\r" not in plain
        assert "\x1b" not in plain
        assert wcwidth.width(line) <= columns
