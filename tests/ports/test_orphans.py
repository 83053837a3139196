"""Orphans of the host's, whose ends nobody else takes."""

from __future__ import annotations

import os
import sys

import pytest

from swarm_host.ports.process import orphans
from swarm_host.ports.process.guardian.family import children_of

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux gives them to us")


def test_an_end_that_nobody_takes_is_taken_at_the_second_look() -> None:
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    seen = orphans.take_ended(set())
    assert pid in {one for one, _ in seen}
    assert pid in children_of(os.getpid())
    orphans.take_ended({one for one in seen if one[0] == pid})
    assert pid not in children_of(os.getpid())


def test_who_lives_is_left_alone() -> None:
    reads, writes = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(writes)
        os.read(reads, 1)
        os._exit(7)
    assert pid not in {one for one, _ in orphans.take_ended(set())}
    os.close(writes)
    os.close(reads)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
