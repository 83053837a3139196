"""Port ``env``: one variable of the host's environment."""

from __future__ import annotations

import os
from typing import Any

from swarm_host.ports.contract import Answer, Call


class Env:
    """Answers with the variable's bytes, or without any where it is not set."""

    async def __call__(self, payload: dict[str, Any], call: Call) -> Answer:
        """Reads ``payload["name"]``."""
        return Answer(data=os.environb.get(os.fsencode(payload["name"])))
