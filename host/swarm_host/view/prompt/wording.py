"""A question as people see it, and what they may say to it."""

from __future__ import annotations

import json
import os
import stat
import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from swarm_host.entries import harmless, one_line, titled
from swarm_host.errors import words_of
from swarm_host.view.cells import cut, width_of
from swarm_host.view.outputs import lines_of

MOST_SHOWN = 256 * 1024
"""Bytes of a file that are shown beside a question; characters of each part of the context."""
_MOST_LINES = 500
"""Lines of each part of the context."""
_MOST_SAID = 10
"""Lines of those that who asks has said last."""
_AHEAD = 50_000
"""Characters of a part that are looked at for what fits a screen."""

Question = Mapping[str, Any]
"""As :meth:`swarm_host.host.Host.pending` has it."""


class Unfit(Exception):
    """What was typed is no answer; the text says why."""


class Look(NamedTuple):
    """What a frame has room for.

    :ivar columns: of a line.
    :ivar lines: of the frame.
    """

    columns: int
    lines: int


# What may be said. -------------------------------------------------------------------------------


def takes_text(question: Question) -> bool:
    """Whether it is answered in one's own words, or JSON."""
    return not question.get("choices")


def answer_of(question: Question, line: str) -> Any:
    """What a line says.

    :param line: of choices one, its number, or the beginning of one alone; JSON where the question
        has a schema; else a text. An empty one is the default.
    :raises Unfit: it is no answer.
    """
    if not line.strip():
        if question.get("default") is None:
            raise Unfit("an answer is needed; Ctrl-D leaves the question to others")
        return question["default"]
    choices = question.get("choices")
    if choices:
        return _one_of(choices, line.strip())
    return line if question.get("schema") is None else json_value(line)


def json_value(text: str) -> Any:
    """What JSON says.

    :raises Unfit: it is none.
    """
    try:
        return json.loads(text, parse_constant=_no_constant)
    except RecursionError:
        raise Unfit("the answer is nested too deep") from None
    except ValueError as problem:
        raise Unfit(f"the answer is to be JSON: {problem}") from None


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _one_of(choices: Sequence[str], said: str) -> str:
    if said in choices:
        return said
    if said.isascii() and said.isdigit() and _numbered(choices) and 0 < int(said) <= len(choices):
        return choices[int(said) - 1]
    for fold in (str, str.casefold):
        same = [one for one in choices if fold(one) == fold(said)]
        begins = same or [one for one in choices if fold(one).startswith(fold(said))]
        if len(begins) == 1:
            return begins[0]
        if begins:
            several = ", ".join(map(one_line, begins))
            raise Unfit(f"{one_line(said)} could be any of {several}")
    raise Unfit(f"the answer is one of {', '.join(map(one_line, choices))}")


def _numbered(choices: Sequence[str]) -> bool:
    """Whether a number can only mean a place in the list."""
    return not any(one.strip().isdigit() for one in choices)


# What is seen. -----------------------------------------------------------------------------------


def shown_of(question: Question) -> str:
    """What is put beside a question: a text, or what is in a file. It may wait for the disk."""
    show = question.get("show")
    if not isinstance(show, dict):
        return "" if show is None else str(show)
    path = str(show.get("path"))
    try:
        # What is no file has no end, or keeps who opens it waiting.
        file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
        try:
            if not stat.S_ISREG(os.fstat(file).st_mode):
                return f"({path} is no file)"
            with os.fdopen(os.dup(file), "rb") as opened:
                content = opened.read(MOST_SHOWN + 1)
        finally:
            os.close(file)
    except (OSError, ValueError) as problem:
        why = words_of(problem) if isinstance(problem, OSError) else str(problem)
        return f"({path} cannot be read: {why})"
    more = f"\n(the first {MOST_SHOWN >> 10} KiB of {path})" if len(content) > MOST_SHOWN else ""
    return content[:MOST_SHOWN].decode(errors="replace") + more


def frame_of(question: Question, shown: str, more: str, message: str, look: Look) -> list[str]:
    """A question on so many lines, without that on which the answer is typed.

    :param shown: what is put beside it.
    :param more: how many others wait, such as ``3``; nothing for none.
    :param message: what is wrong with the last answer.
    """
    columns = look.columns
    waits = f" · {more} more wait{'s' if more == '1' else ''}" if more else ""
    head = cut(f"? {head_of(question)}", max(columns - width_of(waits), 1)) + waits
    last = [cut(_hints(question), columns), *([cut(one_line(message), columns)] if message else [])]
    room = max(look.lines - len(last) - 2, 1)  # the head, and the line on which is typed
    choices = _choices(question, columns)
    beside = [*_details(question, columns), *_folded(shown, columns - 2)] if shown else []
    beside = beside or _details(question, columns)
    asked = _folded(str(question["question"]), columns)
    fair = room // (1 + bool(choices) + bool(beside))
    asked = _first(asked, max(fair, room - len(choices) - len(beside), 1), columns)
    choices = _first(choices, max(fair, room - len(asked) - len(beside)), columns)
    beside = _first(beside, room - len(asked) - len(choices), columns - 2)
    return [
        cut(head, columns),
        *asked,
        *(f"│ {line}" for line in beside),
        *choices,
        *last,
    ]


def head_of(question: Question) -> str:
    """Which question it is, and who asks."""
    to = question.get("to", "main")
    text = f"{question['key']} {titled(dict(question))}"
    return text if to == "main" else f"{text} asks {one_line(str(to))}"


def _hints(question: Question) -> str:
    default = question.get("default")
    hints = [] if default is None else [f"Enter: {text_of(default)}"]
    hints += ["JSON"] if question.get("schema") is not None else []
    hints += ["more: ?", *(["editor: !e"] if takes_text(question) else [])]
    return " · ".join([*hints, "leave it: Ctrl-D"])


def text_of(value: Any) -> str:
    """A value on one line."""
    said = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return one_line(said)


def _choices(question: Question, columns: int) -> list[str]:
    choices = question.get("choices") or []
    signs = [f"{n}) " if _numbered(choices) else "- " for n in range(1, len(choices) + 1)]
    texts = [f"{sign}{one_line(one)}" for sign, one in zip(signs, choices, strict=True)]
    abreast = "  ".join(texts[:_AHEAD])
    return [abreast] if abreast and width_of(abreast) <= columns else texts


def _details(question: Question, columns: int) -> list[str]:
    details = question.get("details") or {}
    lines = []
    for name, value in details.items():
        if isinstance(value, str) and "\n" in value.rstrip("\n"):  # such as a diff
            lines += [f"{one_line(name)}:", *_folded(value, columns - 2)]
        else:
            lines.append(cut(f"{one_line(name)}: {text_of(value)[:_AHEAD]}", columns - 2))
    return lines


def _first(lines: list[str], most: int, columns: int) -> list[str]:
    """So many lines at most, each cut to the columns; the last says how many are left out."""
    if len(lines) > most:
        left = len(lines) - most + 1
        lines = [*lines[: max(most - 1, 0)], f"… {left} more lines: ? shows them"][:most]
    return [cut(line, columns) for line in lines]


def _folded(text: str, columns: int) -> list[str]:
    """A text on lines that are not wider than this."""
    lines = []
    columns = max(columns, 1)
    for line in _plain(text[:_AHEAD]).split("\n"):
        while not line.isascii() and (len(line) > columns or width_of(line) > columns):
            part = line[:columns]  # a character takes a column at least, or none
            while width_of(part) > columns and len(part) > 1:
                part = part[: len(part) - max((width_of(part) - columns) // 2, 1)]
            lines.append(part)
            line = line[len(part) :]
        while line.isascii() and len(line) > columns:
            lines.append(line[:columns])
            line = line[columns:]
        lines.append(line)
    if len(text) > _AHEAD:
        lines += [""] * text.count("\n", _AHEAD)  # they are counted
    return lines


def _plain(text: str) -> str:
    return harmless(text.replace("\r\n", "\n").rstrip("\n").expandtabs())


def context_of(question: Question, shown: str, state: Mapping[str, Any] | None) -> str:
    """All there is to know of a question.

    :param state: of who asks, as ``read_task_state`` gives it; None: not known.
    """
    at = time.strftime("%H:%M:%S", time.localtime(question["since"]))
    name, task = titled(dict(question)), question["task_id"]
    lines = [f"{question['key']} is asked by {name} ({task}), of {question['to']}, since {at}:"]
    lines += _indented(str(question["question"]))
    if question.get("input"):
        lines.append(f"input: {one_line(str(question['input']))}")
    for name, value in (question.get("details") or {}).items():
        lines += [f"{name}:", *_indented(value if isinstance(value, str) else _json(value))]
    if shown:
        lines += ["beside it:", *_indented(shown)]
    if question.get("schema") is not None:
        lines += ["the answer is JSON that fits:", *_indented(_json(question["schema"]))]
    lines += [f"  {line}" for line in _choices(question, 0)[:_MOST_LINES]]
    events = list(state["events"])[-_MOST_SAID:] if state else []
    said = [line for event in events for line in lines_of(event)][-_MOST_SAID:]
    if said:
        lines += ["it said last:", *(f"  {one_line(line)}" for line in said)]
    return "\n".join(lines)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2)


def _indented(text: str) -> list[str]:
    lines = _plain(text[:MOST_SHOWN]).split("\n", _MOST_LINES)
    more = text.count("\n", MOST_SHOWN)
    if len(lines) > _MOST_LINES:
        more += lines.pop().count("\n") + 1
    if more or len(text) > MOST_SHOWN:
        lines.append(f"… {more} more lines" if more else "… and more")
    return [f"  {line}" for line in lines]


def answered(question: Question, value: Any) -> str:
    """A question with its answer."""
    return f"{head_of(question)}: {one_line(str(question['question']))} {text_of(value)}"


def ended(question: Question, answer: Mapping[str, Any] | None) -> str:
    """What stays of a question that is asked no more.

    :param answer: as :meth:`swarm_host.host.Host.answered` gives it.
    """
    if answer is None:
        return f"{head_of(question)}: it is asked no more"
    value = answer["value"]
    if answer["via"] == "terminal":
        return answered(question, value)
    if answer["via"] == "default":
        return f"{head_of(question)}: nobody answered in time, so it is {text_of(value)}"
    who = one_line(str(answer.get("by") or "somebody"))
    return f"{head_of(question)}: {who} answered ({answer['via']}): {text_of(value)}"
