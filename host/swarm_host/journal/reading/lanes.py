"""Which lane each slice of time has in a picture of a run, so that in each lane slices lie beside
each other or one within another, as trace viewers want it: a task lies in its parent's lane, within
that, where nothing else does; else in the first lane that is free."""

from __future__ import annotations

from array import array
from heapq import heappop, heappush
from typing import NamedTuple


class Slice(NamedTuple):
    """When a task ran, or one attempt of several.

    :ivar task: whose it is.
    :ivar within: the task in whose slice it lies, where there is room: its parent, or itself for an
        attempt; 0 for none.
    :ivar start: microseconds.
    :ivar end: microseconds.
    """

    task: int
    within: int
    start: int
    end: int


class Lanes:
    """The slices of a run: all are given first, those of a task before those within."""

    def __init__(self) -> None:
        # A number for each of a million tasks: objects would take ten times as much.
        self._tasks, self._within = array("q"), array("q")
        self._starts, self._ends = array("q"), array("q")

    def add(self, one: Slice) -> None:
        """One more slice."""
        self._tasks.append(one.task)
        self._within.append(one.within)
        self._starts.append(one.start)
        self._ends.append(max(one.start, one.end))

    def given(self) -> array[int]:
        """The lane of each slice, from 0, in the order in which they were added."""
        starts, ends = self._starts, self._ends
        lanes = array("q", bytes(8 * len(starts)))
        lane_of: dict[int, int] = {}  # of the tasks that were met
        open_in: list[list[int]] = []  # of each lane: the slices that are open, the outermost first
        busy: list[tuple[int, int]] = []  # when its outermost slice ends, lane
        free: list[int] = []
        order = sorted(range(len(starts)), key=ends.__getitem__, reverse=True)
        order.sort(key=starts.__getitem__)
        for one in order:
            start = starts[one]
            while busy and busy[0][0] <= start:
                _, lane = heappop(busy)
                open_in[lane].clear()
                heappush(free, lane)
            lane = lane_of.get(self._within[one], -1)
            if lane < 0 or not self._fits(one, open_in[lane]):
                if not free:
                    heappush(free, len(open_in))
                    open_in.append([])
                lane = heappop(free)
                heappush(busy, (ends[one], lane))
            open_in[lane].append(one)
            lanes[one] = lane
            lane_of.setdefault(self._tasks[one], lane)
        return lanes

    def _fits(self, one: int, within: list[int]) -> bool:
        """Whether a slice lies within the innermost that is open in a lane, and belongs there."""
        while within and self._ends[within[-1]] <= self._starts[one]:
            within.pop()
        if not within:
            return False
        return (
            self._tasks[within[-1]] == self._within[one]
            and self._ends[one] <= self._ends[within[-1]]
        )
