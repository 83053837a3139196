"""Who says whether a token is good: one for a run.

It is asked in this order: signature, revocation, expiry (:meth:`Authority.admit`); then whoever
knows roles asks whether role and caveats allow the verb; then a use is counted
(:meth:`Authority.count`); then comes whose task it is.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from swarm_host.tokens import token as _token
from swarm_host.tokens.caveats import LISTS, Malformed
from swarm_host.tokens.token import Token

MOST_COUNTED = 10000
"""Tokens of one task whose uses are counted: whoever has one can make any number of others."""


class Refused(Exception):
    """A token is not accepted.

    :param code: ``bad_signature``, ``token_revoked``, ``token_expired``, ``token_uses_exhausted``,
        ``role_violation`` (a caveat that is not known).
    :param message: one sentence, without the token.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Grant(NamedTuple):
    """What a genuine token grants.

    :ivar token: the token.
    :ivar links: its chain.
    :ivar limits: what its caveats leave: ``verbs``, ``paths``, ``programs``, ``hosts``, each a list
        of lists that must all admit what is asked for; ``budgets``, pairs of a name of the caveat's
        own and its amounts; ``unknown``, the kind of a caveat that this version does not know, for
        which everything is refused. What is not there is not narrowed.
    """

    token: Token
    links: Sequence[bytes]
    limits: Mapping[str, Any]

    @property
    def counted(self) -> bool:
        """Whether its uses are counted."""
        return self.token.uses > 0 or any(name == "uses" for name, _ in self.token.caveats)


class Authority:
    """Makes tokens of a run, and says whether one is good.

    :param keys: the first makes tokens, all verify them.
    :param run: the id of the run, where others have its keys: a token of one of them is refused.
    :param clock: Unix time in seconds; by default one that goes on evenly from now, whatever the
        system's is set to meanwhile.
    """

    def __init__(
        self, keys: Sequence[bytes], clock: Callable[[], float] | None = None, run: str = ""
    ) -> None:
        self._keys = {_token.key_id(key): key for key in keys}
        self._newest = keys[0]
        self._run = run
        self.now = clock or steady_clock()
        self._uses: dict[str, dict[bytes, int]] = {}
        self._revoked: dict[str, set[bytes]] = {}

    def mint(
        self,
        *,
        agent: str,
        role: str,
        task: str,
        attempt: int,
        ttl: float,
        caveats: Mapping[str, Any],
    ) -> str:
        """Makes a token.

        :param task: the id of the task that it speaks for.
        :param ttl: seconds for which it is good.
        :param caveats: what narrows it from the start, as
            :func:`swarm_host.tokens.caveats.encode` takes them.
        :raises Malformed: there is no such caveat, or a name is too long.
        """
        now = self.now()
        text = _token.mint(
            self._newest,
            agent=agent,
            role=role,
            task=task,
            attempt=attempt,
            issued=now,
            expires=now + ttl,
            run=self._run,
        )
        return _token.attenuate(text, caveats, now) if caveats else text

    def attenuate(self, text: str, caveats: Mapping[str, Any]) -> str:
        """A token that may do less.

        :raises Malformed: it is no token, or there is no such caveat.
        """
        return _token.attenuate(text, caveats, self.now())

    def admit(self, text: str) -> Grant:
        """Checks a token's signature, that it is not revoked, and that its time is not over.

        :raises Refused: one of these is not so.
        """
        try:
            token = _token.read(text)
        except Malformed as problem:
            raise Refused("bad_signature", f"this is no token: {problem}") from None
        key = self._keys.get(token.key_id)
        links = None if key is None else token.links(key)
        if links is None:
            why = "it has been changed, or was made elsewhere" if key else "it is not of this run"
            raise Refused("bad_signature", f"the token is not genuine: {why}")
        if token.run != self._run:
            raise Refused("bad_signature", "the token is of another run")
        if not self._revoked.get(token.task, set()).isdisjoint(links):
            raise Refused("token_revoked", "the token, or one that it was made of, was revoked")
        ends, limits = _limits(token, links)
        late = self.now() - ends / 1e6
        if late >= 0:
            raise Refused("token_expired", f"the token expired {late:.0f} s ago")
        return Grant(token, links, limits)

    def count(self, grant: Grant) -> None:
        """Takes a use of a token, where uses are counted: of each that it was made of too.

        :raises Refused: one of them is used up, and none is taken.
        """
        token = grant.token
        bounded = [(grant.links[0], token.uses)] if token.uses else []
        bounded += [
            (link, value)
            for link, (name, value) in zip(grant.links[1:], token.caveats, strict=True)
            if name == "uses"
        ]
        if not bounded:
            return
        used = self._uses.setdefault(token.task, {})
        new = sum(link not in used for link, _ in bounded)
        if new and len(used) + new > MOST_COUNTED:
            message = f"the uses of {MOST_COUNTED} tokens of its task are counted already"
            raise Refused("token_uses_exhausted", message)
        for link, most in bounded:
            if used.get(link, 0) >= most:
                times = "once" if most == 1 else f"{most} times"
                message = f"the token is used up: it was good for being used {times}"
                raise Refused("token_uses_exhausted", message)
        for link, _ in bounded:
            used[link] = used.get(link, 0) + 1

    def revoke(self, text: str) -> None:
        """Makes a token, and all made of it, worth nothing.

        :raises Refused: it is not genuine.
        """
        try:
            grant = self.admit(text)
        except Refused as refused:
            if refused.code == "bad_signature":
                raise
            return  # it is worth nothing as it is
        self._revoked.setdefault(grant.token.task, set()).add(grant.links[-1])

    def forget(self, task: str) -> None:
        """A task is over: what was counted and revoked of its tokens is needed no more."""
        self._uses.pop(task, None)
        self._revoked.pop(task, None)


def steady_clock() -> Callable[[], float]:
    """A clock that goes on evenly from the system's time now."""
    offset, monotonic = time.time() - time.monotonic(), time.monotonic
    return lambda: offset + monotonic()


def _limits(token: Token, links: Sequence[bytes]) -> tuple[int, Mapping[str, Any]]:
    """When a token expires, in microseconds of Unix time, and what else its caveats say."""
    ends = token.expires
    limits: dict[str, Any] = {}
    for at, (name, value) in enumerate(token.caveats, 1):
        if name in LISTS:
            limits.setdefault(name, []).append(value)
        elif name == "expires":
            ends = min(ends, value)
        elif name == "budget":
            limits.setdefault("budgets", []).append((links[at].hex(), value))
        elif name == "unknown":
            limits["unknown"] = value
    return ends, limits
