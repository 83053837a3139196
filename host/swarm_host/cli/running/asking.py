"""Whom a run puts its questions to: the person at the terminal, or who reads that they wait."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Literal

import anyio

from swarm_host.host import Host
from swarm_host.login import login
from swarm_host.view.asked import asked
from swarm_host.view.screen import Screen

if TYPE_CHECKING:
    from swarm_host.cli.wish import RunWish
    from swarm_host.view.prompt.wording import Question

_MOST = 10
"""Questions that are told of one by one."""
_TOLD_SECONDS = 1.0
"""How long a question is open before it is told of where the run ends once only answers can move
it: what it is open for at the end is told then."""


def prompts(wish: RunWish) -> bool:
    """Whether a run puts its questions to the person at the terminal."""
    if wish.on_ask == "exit" or os.environ.get("CI") or os.environ.get("TERM") == "dumb":
        return False
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC))
    except OSError:
        return False
    return True


def on_ask(wish: RunWish, *, prompts: bool) -> Literal["exit", "wait"]:
    """What becomes of a run that only answers can move.

    :param prompts: there is a person who is asked.
    """
    return "wait" if wish.journal is None or prompts else wish.on_ask or "exit"


@asynccontextmanager
async def asking(wish: RunWish, screen: Screen, host: Host) -> AsyncIterator[None]:
    """Has questions answered, or told of, for the time of the block."""
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_Asking(wish, screen, host).run)
        try:
            yield
        finally:
            tasks.cancel_scope.cancel()


class _Asking:
    def __init__(self, wish: RunWish, screen: Screen, host: Host) -> None:
        self._wish, self._screen, self._host = wish, screen, host
        self._has_told_how = False

    async def run(self) -> None:
        """Puts them to the person at the terminal, as long as there is one; afterwards they are
        told of."""
        if prompts(self._wish):
            await self._first()
            await self._prompt()
            # The run goes on as without a terminal.
            self._host.wait_for_answers(on_ask(self._wish, prompts=False) == "wait")
        waits = on_ask(self._wish, prompts=False) == "wait"
        await self._tell_all(0.0 if waits else _TOLD_SECONDS)

    async def _first(self) -> None:
        """Waits for the first question: what asks people costs start-up, and few runs need it."""
        asked = anyio.Event()
        self._host.on_asked(asked.set)
        await asked.wait()

    async def _prompt(self) -> None:
        """Asks at the terminal until it is gone."""
        from swarm_host.view.prompt.keyboard import HungUp, Keyboard
        from swarm_host.view.prompt.prompt import Prompt

        try:
            keyboard = Keyboard()
        except OSError:
            return  # it is gone already
        try:
            if self._screen.prompts_at(keyboard.fd):
                prompt = Prompt(
                    self._host, self._screen, keyboard, login(), self._tell_away, self._tell_left
                )
                await prompt.run()
        except HungUp:
            return
        except Exception as problem:
            why = f"{type(problem).__name__}: {problem}"
            self._screen.error(f"the prompt cannot go on: {why}; {self._how_to_answer()}")
        finally:
            keyboard.close()

    async def _tell_all(self, after: float) -> None:
        """Says which questions wait, as they come.

        :param after: seconds for which one has been open before.
        """
        beyond, changed = 0, anyio.Event()

        def hear() -> None:
            changed.set()

        self._host.on_asked(hear)
        try:
            while True:
                changed = anyio.Event()
                if after and any(one["nth"] > beyond for one in self._host.pending()):
                    await anyio.sleep(after)
                new = [one for one in self._host.pending() if one["nth"] > beyond]
                for one in new[:_MOST]:
                    self._tell(one)
                if len(new) > _MOST:
                    self._screen.note(f"and {len(new) - _MOST} more questions wait")
                beyond = max([beyond, *(one["nth"] for one in new)])
                await changed.wait()
        finally:
            self._host.on_asked(None)

    def _tell(self, question: Question) -> None:
        self._screen.note(f"a question waits: {asked(dict(question))}")
        if not self._has_told_how:
            self._has_told_how = True
            self._screen.note(self._how_to_answer())

    def _tell_away(self, question: Question) -> None:
        """It cannot be asked from the background."""
        self._screen.note(f"a question waits: {asked(dict(question))}")
        self._screen.note(f"fg brings its run to the terminal; or {self._how_to_answer()}")

    def _tell_left(self, question: Question) -> None:
        self._screen.note(f"left to others: {asked(dict(question))}")
        self._screen.note(self._how_to_answer())

    def _how_to_answer(self) -> str:
        return f"answer with: swarm-host answer {self._host.run_id} KEY VALUE"
