"""What a run was given, kept in its journal; and the journal opened again, to go on with it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from swarm_host.journal.places import Lock, NoJournal, find
from swarm_host.journal.recorder import Recorder
from swarm_host.journal.resumed import Resumed


def go_on(
    run: str | Path, names: Iterable[str], *, again: bool = False
) -> tuple[Recorder, dict[str, Any]]:
    """Opens the journal of a run that nobody works on.

    :param run: its id, a unique prefix, ``last``, or the path of its journal.
    :param again: what was in flight runs again, whatever its worker's ``on_resume`` says.
    :param names: of what it was given that holds again.
    :return: the journal, and what the run was given: ``script``, and what of these was not left
        out.
    :raises NoJournal: there is none, it is damaged, or somebody works on the run.
    """
    path = find(str(run)).absolute()
    lock = Lock(path)
    try:
        resumed = Resumed(path, again=again)
        given = resumed.meta.get("given") or resumed.meta.get("wish")
        if not isinstance(given, dict) or not isinstance(given.get("script"), str):
            raise NoJournal(f"{path} does not say which script its run was of")
        known = {name: given[name] for name in ("script", *names) if given.get(name) is not None}
        known["script"] = str(Path(str(resumed.meta.get("cwd", "")), known["script"]))
        known["budget"] = dict(known.get("budget") or {})
    except BaseException:
        lock.close()
        raise
    return Recorder(resumed.run_id, path, resumed=resumed, lock=lock), known
