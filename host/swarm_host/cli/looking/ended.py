"""What a journal has to say of a run that nobody can speak to."""

from __future__ import annotations

import time

from swarm_host.journal.places import NoJournal, find
from swarm_host.journal.reading.reader import Reader


def how_it_ended(run: str) -> str | None:
    """How and when a run ended; None: it has left no journal that can be read."""
    try:
        with Reader(find(run)) as reader:
            known, process = reader.run(), reader.process
    except NoJournal:
        return None
    if known.ended is None:
        return (
            f"run {known.run_id} goes on and does not listen: kill {process} cancels it as Ctrl-C "
            "does"
        )
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(known.ended))
    return (
        f"run {known.run_id} ended at {when}: {known.status}; swarm-host show {known.run_id} says "
        "what became of its tasks"
    )
