"""What a run does when its files change. Imported only where it does anything."""

from __future__ import annotations

from typing import Literal, NamedTuple

OnChange = Literal["restart", "finish", "keep"]


class ReloadWish(NamedTuple):
    """What a run does when its files change.

    :ivar dry_run: only say what a reload would change.
    :ivar drain: seconds that workers of older generations have, or None: as long as they need.
    :ivar watch: the run stays after main, and main runs again on each change.
    :ivar on_change: what a change does to main, with ``watch``.
    :ivar serves: work comes from outside, with or without a main.
    :ivar takes_over: definitions are taken over; False: files are not watched.
    """

    dry_run: bool = False
    drain: float | None = None
    watch: bool = False
    on_change: OnChange = "restart"
    serves: bool = False
    takes_over: bool = True

    @property
    def wakes_main(self) -> bool:
        """A change runs main again, or others bring work, so that silence is no deadlock."""
        return self.serves or (self.watch and self.on_change != "keep")
