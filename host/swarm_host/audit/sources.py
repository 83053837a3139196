"""Scripts and modules as they are read: the audit has the hash of each before Lua gets it."""

from __future__ import annotations

import os
from typing import Any

from swarm_host.audit.audit import Audit
from swarm_host.ports.contract import Answer, Call, Port


class AuditedSources:
    """The port ``files`` of a run with an audit.

    :param audit: the run's.
    :param files: what answers.
    """

    def __init__(self, audit: Audit, files: Port) -> None:
        self._audit = audit
        self._files = files

    async def __call__(self, payload: Any, call: Call) -> Answer:
        """Answers a request."""
        answer = await self._files(payload, call)
        if payload["op"] in ("source", "first") and answer.data is not None:
            path = payload["path"] if payload["op"] == "source" else answer.value
            data = answer.data[0] if isinstance(answer.data, tuple) else answer.data
            self._audit.keep_source(os.fsdecode(path), bytes(data))
        return answer
