"""Port ``token``: makes tokens of a run, and says whether one is good."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from swarm_host.ports.contract import Answer, Call, PortError
from swarm_host.tokens.authority import Authority, Refused
from swarm_host.tokens.caveats import Malformed
from swarm_host.tokens.keys import random_keys
from swarm_host.tokens.token import fingerprint


class Tokens:
    """Answers for an authority of its own. What time it is, who asks says: in specs it stands
    still.

    :param keys: of tokens; the first makes them; none: a random one.
    :param run: the id of the run, where keys are given: others may have them.
    """

    def __init__(self, keys: Sequence[bytes] = (), run: str = "") -> None:
        self._now = 0.0
        self._authority = Authority(keys or random_keys(), lambda: self._now, run)

    async def __call__(self, payload: dict[str, Any], call: Call) -> Answer:
        """Does what ``payload["op"]`` says: ``mint``, ``attenuate``, ``admit``, ``count``,
        ``revoke``; the token comes and goes beside it.

        :raises PortError: ``bad_signature``, ``token_revoked``, ``token_expired``,
            ``token_uses_exhausted``; ``invalid_argument`` for a caveat that is none.
        """
        self._now = payload["now"]
        text = (call.data or b"").decode(errors="replace")
        do: Callable[[dict[str, Any], str], Answer] = getattr(self, f"_{payload['op']}")
        try:
            return do(payload, text)
        except Refused as refused:
            raise PortError(refused.code, refused.message) from None
        except Malformed as problem:
            raise PortError("invalid_argument", f"a token: {problem}") from None

    def _mint(self, payload: dict[str, Any], _text: str) -> Answer:
        for task in payload["over"]:
            self._authority.forget(task)
        made = self._authority.mint(
            agent=payload["agent"],
            role=payload["role"],
            task=payload["task"],
            attempt=payload["attempt"],
            ttl=payload["ttl"],
            caveats=payload["caveats"],
        )
        return Answer(fingerprint(made), made.encode())

    def _attenuate(self, payload: dict[str, Any], text: str) -> Answer:
        made = self._authority.attenuate(text, payload["caveats"])
        return Answer({"fingerprint": fingerprint(made), "of": fingerprint(text)}, made.encode())

    def _admit(self, _payload: dict[str, Any], text: str) -> Answer:
        grant = self._authority.admit(text)
        token = grant.token
        return Answer(
            {
                "agent": token.agent,
                "role": token.role,
                "task_id": token.task,
                "attempt": token.attempt,
                "expires": token.expires / 1e6,
                "fingerprint": fingerprint(text),
                "limits": dict(grant.limits),
                "counted": grant.counted,
            }
        )

    def _count(self, _payload: dict[str, Any], text: str) -> Answer:
        self._authority.count(self._authority.admit(text))
        return Answer()

    def _revoke(self, _payload: dict[str, Any], text: str) -> Answer:
        self._authority.revoke(text)
        return Answer(fingerprint(text))
