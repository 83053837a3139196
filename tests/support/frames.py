"""The golden frames of the live view: what each picture of a run looks like at each terminal.

python -m tests.support.frames        writes them anew, to be looked at
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from swarm_host.view.fronts.tree import Look, frame

FOLDER = Path(__file__).resolve().parents[1] / "view" / "frames"

NAMES = ("live", "running", "pass", "blocked", "failed", "cancelled", "timeout")
LOOKS = {
    "plain": Look(colours=False),
    "colours": Look(),
    "ascii": Look(colours=False, unicode=False),
}


def counts(*numbers: int) -> dict[str, int]:
    """As ``Host.counts`` gives them."""
    return dict(zip(NAMES, numbers, strict=True))


def ends(**numbers: int) -> dict[str, int]:
    """As a row of ``Host.picture`` has them."""
    return {**dict.fromkeys(NAMES[2:], 0), **numbers}


def row(depth: int, name: str, **fields: Any) -> dict[str, Any]:
    """A row of ``Host.picture``."""
    return {"depth": depth, "name": name, "status": "running", "attempt": 1, **fields}


REVIEW = [
    row(0, "main", seconds=75.2, running=3, pending=2, ends=ends(**{"pass": 7}, failed=1)),
    row(1, "review", label="auth.py", seconds=42.9, attempt=2, stage="reading", note="part 3"),
    row(
        1,
        "review",
        label="db.py",
        seconds=3700,
        said="error: the table users has no index",
        used={"tokens": 12431, "cost": 0.31},
    ),
    row(1, "release", seconds=8, running=1, ends=ends(**{"pass": 2})),
    row(2, "build", label="wheel", seconds=7.99, stage="stderr", note="\x1b[32mcopying\x1b[0m x"),
    row(1, "test", label="all", status="failed", reason='exit code 1: 2 failed\n  in "x"'),
    row(1, "review", label="web.py", status="pending", waits_for="a free slot"),
    row(1, "review", label="cli.py", status="pending", attempt=2, waits_for="its next attempt"),
]
ODD = [
    row(0, "main", seconds=1, running=4, is_cut=True),
    row(1, "漢字", label="日本語のラベル.md", seconds=1, stage="読む"),
    row(1, "emoji", label="👩‍👩‍👧 ❤️ 🇩🇪", seconds=1, said="🙂" * 60),
    row(1, "control", label="a\x1b[2Jb\rc\x07d\x9be", seconds=1, stage="x\x1b]0;title\x07y"),
    row(1, "accents", label="éééé", seconds=1, note="never shown"),
    row(1, "l" * 300, label="m" * 300, seconds=86400 * 3, stage="n" * 3000),
    row(1, "cancelled", seconds=2, cancelled=True, waits_for="a timer"),
    row(1, "late", status="timeout", attempt=3, reason="ran out of time after 2 s"),
]
ALONE = [row(0, "main", seconds=0.6, waits_for="a timer")]

PICTURES: dict[str, tuple[list[dict[str, Any]], dict[str, int], float]] = {
    "review": (REVIEW, counts(7, 5, 9, 0, 1, 0, 0), 75.2),
    "odd": (ODD, counts(30000, 30000, 0, 0, 0, 0, 1), 3.0),
    "alone": (ALONE, counts(1, 1, 0, 0, 0, 0, 0), 0.6),
}
FRAMES = [
    ("review", 200, "plain"),
    ("review", 80, "plain"),
    ("review", 80, "colours"),
    ("review", 80, "ascii"),
    ("review", 40, "plain"),
    ("review", 10, "plain"),
    ("review", 1, "plain"),
    ("odd", 80, "plain"),
    ("odd", 40, "colours"),
    ("odd", 10, "plain"),
    ("alone", 80, "plain"),
]


def path_of(picture: str, columns: int, look: str) -> Path:
    """Where a frame is kept."""
    return FOLDER / f"{picture}_{columns}_{look}.txt"


def lines_of(picture: str, columns: int, look: str) -> list[str]:
    """A frame."""
    rows, numbers, seconds = PICTURES[picture]
    return frame(rows, numbers, seconds, columns, LOOKS[look])


def write() -> None:
    """Writes all of them."""
    FOLDER.mkdir(exist_ok=True)
    for one in FRAMES:
        path_of(*one).write_text("".join(f"{line}\n" for line in lines_of(*one)))


if __name__ == "__main__":
    write()
