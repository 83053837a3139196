"""Scripts and modules as they are read: kept in the journal, and taken from it where the run is
resumed."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from swarm_host.ports.contract import Answer, Call
from swarm_host.ports.files.port import Files

if TYPE_CHECKING:
    from swarm_host.journal.recorder import Recorder


class Sources:
    """The port ``files`` of a run with a journal.

    :param journal: the run's.
    """

    def __init__(self, journal: Recorder) -> None:
        self._journal = journal
        self._files = Files()
        self._recorded = {} if journal.resumed is None else dict(journal.resumed.sources)

    async def __call__(self, payload: Any, call: Call) -> Answer:
        """Answers a request."""
        what = payload["op"]
        if what not in ("source", "first"):
            return await self._files(payload, call)
        known = self._known([payload["path"]] if what == "source" else payload["paths"])
        if known is not None:
            content = self._recorded[known]
            self._journal.keep_source(known, content)
            return Answer(value=known if what == "first" else None, data=content)
        answer = await self._files(payload, call)
        path = payload["path"] if what == "source" else answer.value
        if path is not None and answer.data is not None and not isinstance(answer.data, tuple):
            self._journal.keep_source(os.fsdecode(path), bytes(answer.data))
        return answer

    def _known(self, paths: list[str]) -> str | None:
        for path in paths:
            if path in self._recorded:
                return path
        return None
