"""What is asked for as to the journal of a run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from swarm_host.journal.places import Lock
    from swarm_host.journal.recorder import Recorder
    from swarm_host.journal.resumed import Resumed
    from swarm_host.journal.writer import Sync


class JournalWish(NamedTuple):
    """What is asked for.

    :ivar path: where; None: where the journals of this user's runs lie.
    :ivar sync: see :class:`~swarm_host.journal.writer.Writer`.
    :ivar run_id: of a run that is resumed; None: it is a new one.
    :ivar resumed: what is known of it.
    :ivar lock: that it is nobody else's.
    :ivar command: with which it is resumed, after ``swarm-host``.
    """

    path: Path | None = None
    sync: Sync = "normal"
    run_id: str | None = None
    resumed: Resumed | None = None
    lock: Lock | None = None
    command: str | None = None

    def recorder(self) -> Recorder:
        """The journal of a run that begins.

        :raises NoJournal: it cannot be kept there.
        """
        from swarm_host.journal.recorder import Recorder

        return Recorder(self.run_id, self.path, self.sync, resumed=self.resumed, lock=self.lock)
