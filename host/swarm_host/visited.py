"""What comes to a run from outside as a request: verbs of roles, answers, who wants its events."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

from swarm_host.errors import WorkerCancelled
from swarm_host.handle import Handle
from swarm_host.told import Told

_EVENTS_SECONDS = 60
"""How long one question for further events waits."""


class Visited(Told):
    """A run that requests come to."""

    def _handle(self, worker: int) -> Handle:
        return Handle(self.kernel, self._pump, worker)

    def visit(self, method: str, params: dict[str, Any], person: bool) -> Handle:
        """Begins to serve a request from outside, by a worker that is no work of the run.

        :param method: a verb of roles.
        :param params: what belongs to it, and the ``token`` of who asks.
        :param person: who asks is of this user, and nothing that the run has started.
        :raises SwarmError: ``invalid_value``: JSON cannot say the parameters.
        """
        return self._handle(self.kernel.visit(method, params, person))

    def pending(self, most: int = 1000) -> list[dict[str, Any]]:
        """The questions that nobody has answered yet, the oldest first.

        :param most: how many at most.
        :return: of each ``key``, ``nth`` (which it is of all), ``question``, ``to``, ``kind``,
            ``since`` (Unix seconds), ``task_id``, and where they are there ``name``, ``label``,
            ``input`` (in short), ``choices``, ``schema``, ``default``, ``show`` and ``details``;
            ``at_operator``: a function of the script looks at it first.
        """
        return self.kernel.pending(most)

    async def answer(
        self,
        key: str,
        value: Any,
        *,
        by: str | None = None,
        reason: str | None = None,
        via: str = "host",
    ) -> None:
        """Answers a question; where the run has a journal, the answer is in it afterwards.

        :param key: the question's.
        :param value: anything but None that JSON can say.
        :param by: who answers.
        :param reason: why.
        :param via: from where.
        :raises WorkerFailed: with the ``code`` of its ``error``: ``question_not_found``;
            ``already_answered``, with ``by`` and ``via`` of who was faster; ``invalid_argument`` or
            ``invalid_value``: the answer does not fit.
        """
        said = {"by": by, "reason": reason}
        params = {"key": key, "value": value, "via": via}
        params |= {name: text for name, text in said.items() if text is not None}
        await self.visit("answer_query", params, person=True).result()

    async def events(self, *types: str) -> AsyncIterator[dict[str, Any]]:
        """The events of the run from now on, as ``--events`` writes them, until the host closes.

        :param types: such as ``task_pass`` or ``question_*``; none: all.
        :raises WorkerFailed: no event has such a type.
        """
        since: int | None = None
        while True:
            params: dict[str, Any] = {"wait": _EVENTS_SECONDS if since is not None else 0}
            params |= {} if since is None else {"since": since}
            params |= {"types": list(types)} if types else {}
            try:
                read = await self.visit("subscribe_events", params, person=True).result()
            except WorkerCancelled:
                return
            since = int(read["next"])
            for event in read["events"]:
                yield event

    def on_asked(self, tell: Callable[[], None] | None) -> None:
        """Has a function called, on the loop, when a question was opened or closed; None: none."""
        self._pump.on_asked = tell

    def answered(self, key: str) -> dict[str, Any] | None:
        """How a question was answered: ``value``, ``by``, ``via``, ``reason``; None: it is open, is
        none, or was withdrawn."""
        return self.kernel.answered(key)

    def wait_for_answers(self, waits: bool) -> None:
        """Sets ``Options.on_ask`` anew: whether a run that only answers can move waits for them."""
        self.kernel.wait_for_answers(waits)
        self._pump.poke()
