"""What is left of runs in the folder of sockets: for a day, and no longer."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path

from swarm_host.serving.addresses import KEPT_SECONDS, end, listen


def test_the_end_of_a_run_takes_old_notes_and_dead_sockets_away(tmp_path: Path) -> None:
    long_ago = time.time() - KEPT_SECONDS - 60
    for name in ("old.ended", "new.ended", "dead.sock"):
        (tmp_path / name).touch()
    with listen(tmp_path / "lives.sock"), listen(tmp_path / "mine.sock"):
        with socket.socket(socket.AF_UNIX) as recent:
            recent.bind(str(tmp_path / "recent.sock"))  # nobody listens there
        for name in ("old.ended", "dead.sock", "lives.sock"):
            os.utime(tmp_path / name, (long_ago, long_ago))
        end(tmp_path / "mine.sock", "it passed")
        left = sorted(path.name for path in tmp_path.iterdir())
    assert left == ["lives.sock", "mine.ended", "new.ended", "recent.sock"]
