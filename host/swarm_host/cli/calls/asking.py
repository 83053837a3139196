"""Asking the person at the terminal a question of a run that no prompt of its own asks."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import IO, Any

from swarm_host.view.progress import size_of_terminal
from swarm_host.view.prompt.editor import Editor, NoEditor
from swarm_host.view.prompt.prompt import CONTEXT, EDIT
from swarm_host.view.prompt.wording import (
    Look,
    Unfit,
    answer_of,
    context_of,
    frame_of,
    shown_of,
    takes_text,
)

_LEAST_LINES = 8
"""Lines that a question has, however few the terminal says it has."""


class NobodyThere(Exception):
    """Nobody answers; the text says why."""


def ask(question: Mapping[str, Any]) -> Any:
    """Asks until there is an answer that a question takes, as far as that can be told here.

    :param question: as :meth:`swarm_host.host.Host.pending` has it.
    :return: the answer.
    :raises NobodyThere: there is no terminal, or no answer.
    """
    try:
        file = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        raise NobodyThere(
            "there is no terminal to ask at: give VALUE, or - for standard input"
        ) from None
    with os.fdopen(file, "r+b", buffering=0) as terminal:
        return _ask(question, terminal)


def _ask(question: Mapping[str, Any], terminal: IO[bytes]) -> Any:
    shown, message, refused = shown_of(question), "", ""
    columns, lines = size_of_terminal(terminal.fileno())
    look = Look(columns, max(lines - 1, _LEAST_LINES))
    _say(terminal, "\n".join(frame_of(question, shown, "", "", look)))
    while True:
        if message:
            _say(terminal, message)
        terminal.write(b"> ")
        line = terminal.readline()
        if not line:
            raise NobodyThere("no answer was given")
        said = line.decode(errors="replace").removesuffix("\n")
        if said.strip() == CONTEXT and CONTEXT not in (question.get("choices") or ()):
            _say(terminal, context_of(question, shown, None))
            continue
        try:
            if said.strip() == EDIT and takes_text(question):
                said = refused = _edited(refused)
            return answer_of(question, said)
        except (Unfit, NoEditor) as problem:
            message, refused = str(problem), said


def _edited(text: str) -> str:
    editor = Editor(text)
    try:
        editor.wait()
        return editor.text()
    finally:
        editor.close()


def _say(terminal: IO[bytes], text: str) -> None:
    encoding = sys.stderr.encoding
    terminal.write(text.encode(encoding, "backslashreplace") + b"\n")
