"""What workers give, for people: their results, and what the events of their output say."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

from swarm_host.entries import harmless
from swarm_host.view.cells import usage, without_colours

_OF_EVENTS = ("type", "at", "seq", "dropped")
_CONTENTS = {"partial": "chunk", "final": "content"}


def result_of(value: Any, *, as_json: bool = False) -> bytes:
    """A result as stdout has it: a string as its bytes, anything else as ``swarm.json.encode``
    writes it, with a newline at its end.

    :param as_json: a string is JSON too.
    """
    if isinstance(value, str) and not as_json:
        said = value.encode(errors="surrogateescape")  # the bytes that Lua had
    else:
        compact = (",", ":")
        said = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=compact).encode()
    return said if said.endswith(b"\n") else said + b"\n"


def kind_of(event: dict[str, Any]) -> str:
    """What an event is: its type; ``err`` for a line of a program's standard error."""
    return "err" if event.get("stage") == "stderr" else str(event["type"])


def text_of(event: dict[str, Any]) -> str:
    """What it says, in one line or several.

    :param event: an event of the output tail, or of the run's events; in place of a content it may
        have that as ``text``.
    """
    kind = event["type"]
    if kind == "progress":
        stage, note = str(event["stage"]), event.get("note")
        if stage == "stderr":
            return without_colours(str(note))
        return f"{stage}: {note}" if note else stage
    if kind == "artifact":
        return str(event["name"])
    if kind == "usage":
        amounts = {key: event[key] for key in event if key not in _OF_EVENTS}
        return usage(amounts) or _json(amounts)
    value = event["text"] if "text" in event else _value(event.get(_CONTENTS.get(kind, "")) or {})
    return (value if isinstance(value, str) else _json(value)).removesuffix("\n")


def lines_of(event: dict[str, Any], who: str = "") -> Iterator[str]:
    """An event of an output tail as lines, each with the time, and what it is.

    :param who: said it, with a blank behind.
    """
    if event.get("dropped"):
        yield f"{event['dropped']} events before this one are not kept any more"
    clock = time.strftime("%H:%M:%S", time.localtime(event["at"]))
    for line in text_of(event).split("\n"):
        yield harmless(f"{clock} {who}{kind_of(event)}: {line}")


def _value(content: dict[str, Any]) -> Any:
    return content["path"] if content.get("kind") == "file_ref" else content.get("value")


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)
