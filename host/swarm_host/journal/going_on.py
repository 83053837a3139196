"""What a run was given, kept in its journal; and the journal opened again, to go on with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from swarm_host.journal.places import Lock, NoJournal, find
from swarm_host.journal.recorder import Recorder
from swarm_host.journal.resumed import Resumed

GIVEN = ("args", "input", "trust", "lua_path", "blocked", "cancel_grace", "budget")
"""Of :class:`swarm_host.options.Options`: what holds again where a run is resumed."""


def go_on(run: str | Path, *, again: bool = False) -> tuple[Recorder, dict[str, Any]]:
    """Opens the journal of a run that nobody works on.

    :param run: its id, a unique prefix, ``last``, or the path of its journal.
    :param again: what was in flight runs again, whatever its worker's ``on_resume`` says.
    :return: the journal, and what the run was given: ``script``, and those of :data:`GIVEN` that
        were not left out.
    :raises NoJournal: there is none, it is damaged, or somebody works on the run.
    """
    path = find(str(run)).absolute()
    lock = Lock(path)
    try:
        resumed = Resumed(path, again=again)
        given = resumed.meta.get("given") or resumed.meta.get("wish")
        if not isinstance(given, dict) or not isinstance(given.get("script"), str):
            raise NoJournal(f"{path} does not say which script its run was of")
        known = {name: given[name] for name in ("script", *GIVEN) if given.get(name) is not None}
        known["script"] = str(Path(str(resumed.meta.get("cwd", "")), known["script"]))
        known["budget"] = dict(known.get("budget") or {})
    except BaseException:
        lock.close()
        raise
    return Recorder(resumed.run_id, path, resumed=resumed, lock=lock), known
