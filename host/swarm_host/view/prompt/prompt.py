"""The prompt: asks the person at the controlling terminal what a run asks, one question after
another, the oldest first, while the run goes on.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import anyio
from anyio.to_thread import run_sync

from swarm_host.entries import harmless
from swarm_host.errors import SwarmError, WorkerCancelled
from swarm_host.host import Host
from swarm_host.view import cells
from swarm_host.view.prompt.editor import Editor, NoEditor
from swarm_host.view.prompt.keyboard import Keyboard, Line
from swarm_host.view.prompt.wording import (
    Look,
    Question,
    Unfit,
    answer_of,
    context_of,
    ended,
    frame_of,
    shown_of,
    takes_text,
)
from swarm_host.view.screen import Screen

_LOOK_SECONDS = 0.1
"""How often is looked whether the terminal has another size, or is somebody else's."""
_AWAY_SECONDS = 0.5
"""The same in the background."""
_WINDOW = 101
"""Questions that are looked at, of those that are open."""
_CONTEXT_SECONDS = 2.0
"""How long it may take to find what who asks has said last."""

CONTEXT, EDIT = "?", "!e"


class Prompt:
    """Asks what a run asks.

    :param by: who sits there.
    :param tell_away: called with the question once there is one while somebody else has the
        terminal.
    :param tell_left: called with a question that the person leaves to others.
    """

    def __init__(
        self,
        host: Host,
        screen: Screen,
        keyboard: Keyboard,
        by: str,
        tell_away: Callable[[Question], None],
        tell_left: Callable[[Question], None],
    ) -> None:
        self._host, self._screen, self._keyboard, self._by = host, screen, keyboard, by
        self._tell_away, self._tell_left = tell_away, tell_left
        self._left: set[str] = set()
        self._told_away: set[str] = set()
        self._window = _WINDOW
        self._rows: list[dict[str, Any]] = []
        self._changed = anyio.Event()
        self._is_stale = True
        self._asked: Question | None = None  # the question that stands there
        self._frame: list[str] = []
        self._framed: tuple[int, int, str, str] | None = None  # for what

    async def run(self) -> None:
        """Asks until it is cancelled.

        :raises HungUp: the terminal is gone.
        """
        self._host.on_asked(self._hear)
        self._screen.on_given_way = self._keyboard.bar
        await run_sync(cells.load)
        try:
            while True:
                question = self._next()
                if question is None:
                    self._rest()
                    await self._changed.wait()
                elif self._keyboard.take():
                    await self._ask(question)
                else:
                    self._rest()
                    if question["key"] not in self._told_away and not self._keyboard.is_in_front:
                        self._told_away.add(question["key"])
                        self._tell_away(question)
                    await anyio.sleep(_AWAY_SECONDS)
        finally:
            self._host.on_asked(None)
            self._rest()

    def _rest(self) -> None:
        """Nobody is asked now."""
        self._screen.prompt_is_over()
        self._keyboard.let_go()

    # Which questions there are. --------------------------------------------------------------

    def _hear(self) -> None:
        """Questions were opened or closed: says at once what became of the one that is asked."""
        self._is_stale = True
        self._changed.set()
        question = self._asked
        if question is not None and not self._is_open(question):
            self._asked = None
            self._screen.prompt_is_over()
            self._screen.tell(ended(question, self._host.answered(question["key"])))

    def _look(self) -> None:
        """Sees which questions are open."""
        if self._is_stale:
            self._is_stale, self._changed = False, anyio.Event()
            self._rows = self._host.pending(self._window)

    def _for_us(self) -> list[dict[str, Any]]:
        return [
            one for one in self._rows if one["key"] not in self._left and not one.get("at_operator")
        ]

    def _next(self) -> dict[str, Any] | None:
        """The oldest question that is to be asked here."""
        self._look()
        while not (found := self._for_us()) and len(self._rows) >= self._window:
            self._window, self._is_stale = self._window * 2, True
            self._look()
        return found[0] if found else None

    def _is_open(self, question: Question) -> bool:
        self._look()
        return any(one["key"] == question["key"] for one in self._rows)

    def _more(self) -> str:
        """How many others are to be asked here."""
        more = len(self._for_us()) - 1
        return f"{more}+" if len(self._rows) >= self._window else str(more) if more > 0 else ""

    # Asking. ---------------------------------------------------------------------------------

    async def _ask(self, question: Question) -> None:
        """Asks one question, until it is answered, by whomever, or left to others, or somebody else
        has the terminal."""
        self._asked, self._framed = question, None
        try:
            await self._converse(question)
        finally:
            self._asked = None

    async def _converse(self, question: Question) -> None:
        shown = await run_sync(shown_of, question, abandon_on_cancel=True)
        self._keyboard.drop_typed()
        line, message, refused = Line(), "", ""
        while self._asked is not None and self._keyboard.take():
            self._show(question, shown, message, line.text)
            with anyio.move_on_after(_LOOK_SECONDS):
                await anyio.wait_readable(self._keyboard.fd)
            typed = line.feed(self._keyboard.read())
            if typed is None:
                continue
            if typed.text is None:
                self._leave(question)
                return
            message, said = "", typed.text
            command = said.strip()
            if command == CONTEXT and command not in (question.get("choices") or ()):
                await self._tell_context(question, shown)
                continue
            try:
                if command == EDIT and takes_text(question):
                    said = refused = await self._edited(refused)
                await self._answer(question, answer_of(question, said))
            except (Unfit, NoEditor) as problem:
                message, refused = str(problem), said

    def _leave(self, question: Question) -> None:
        """Leaves a question to others."""
        self._left.add(question["key"])
        self._screen.prompt_is_over()
        self._tell_left(question)

    def _show(self, question: Question, shown: str, message: str, text: str) -> None:
        columns, lines = self._screen.size
        key = (columns, lines, self._more(), message)
        if key != self._framed:
            look = Look(columns, max(lines - 1, 2))
            self._frame = frame_of(question, shown, self._more(), message, look)
            self._framed = key
        text = harmless(text)
        while cells.width_of(text) > max(columns - 3, 1):
            text = text[max((cells.width_of(text) - columns + 3) // 2, 1) :]  # its end is seen
        self._screen.prompt([*self._frame[-max(lines - 2, 1) :], f"> {text}"])

    async def _answer(self, question: Question, value: Any) -> None:
        """Answers; afterwards nothing is asked any more, unless the answer did not fit.

        :raises Unfit: it does not.
        """
        if self._asked is None:
            return  # it is over meanwhile
        try:
            await self._host.answer(question["key"], value, by=self._by, via="terminal")
        except WorkerCancelled:
            return  # the run is over
        except SwarmError as problem:
            if problem.error["code"] not in ("already_answered", "question_not_found"):
                raise Unfit(str(problem.error["message"])) from None

    async def _tell_context(self, question: Question, shown: str) -> None:
        """Says all there is to know of a question."""
        state: dict[str, Any] | None = None
        params: dict[str, Any] = {"task_id": question["task_id"]}
        with suppress(SwarmError), anyio.move_on_after(_CONTEXT_SECONDS):
            while state is None or state.get("more"):
                state = await self._host.visit("read_task_state", params, person=True).result()
                params["since"] = state["events"][-1]["seq"] if state["events"] else 0
        self._screen.tell(context_of(question, shown, state))

    async def _edited(self, text: str) -> str:
        """What is written in an editor; nothing where the question is over meanwhile.

        :raises NoEditor: it failed.
        """
        with self._screen.lent():
            editor = Editor(text)
            try:
                while editor.goes_on and self._asked is not None:  # noqa: ASYNC110 - a process
                    await anyio.sleep(_LOOK_SECONDS)
                return "" if editor.goes_on else editor.text()
            finally:
                editor.close()
