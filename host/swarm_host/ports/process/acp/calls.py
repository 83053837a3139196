"""What an agent's tools are called with, for whoever is asked whether they may be.

A request for a permission need say no more than the id of a call that was told before; so what was
told is kept until the call has ended.
"""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Any

MOST = 256
"""Calls that are kept, the last ones."""

MOST_ARGUMENTS = 64 * 1024
"""Bytes of what a call is called with that are kept until a permission is asked for it."""

MOST_SHOWN = 64 * 1024
"""Characters of changes to files that are shown."""

CONTEXT = 3
"""Lines shown around a change."""

_ENDED = ("completed", "failed")


class _Told:
    """What is known of a call, of which each part may be told again.

    :ivar shown: ``title``, ``kind``, ``rawInput`` as JSON, ``changes`` as text.
    :ivar digests: of each part that says what it is called with.
    """

    def __init__(self) -> None:
        self.shown: dict[str, str] = {}
        self.digests: dict[str, str] = {}

    def add(self, call: dict[str, Any]) -> None:
        """Takes in what a message tells."""
        self.shown.update({name: call[name] for name in ("title", "kind") if name in call})
        if "rawInput" in call:  # it may be of any depth
            text = json.dumps(call["rawInput"], sort_keys=True)
            self.shown["rawInput"], self.digests["rawInput"] = text, _digest(text)
        if "content" in call:
            content = [one for one in call["content"] if one["type"] != "terminal"]
            self.shown["changes"] = _changes(content)
            self.digests["content"] = _digest(content) if content else ""
        if "locations" in call:
            locations = call["locations"]
            self.digests["locations"] = _digest(locations) if locations else ""


class Calls:
    """The calls of one agent that have not ended."""

    def __init__(self) -> None:
        self._told: dict[str, _Told] = {}

    def note(self, update: dict[str, Any]) -> None:
        """Takes in what is told of a call.

        :param update: of ``session/update``, as the protocol has it.
        """
        number = update["toolCallId"]
        told = self._told.pop(number, None) or _Told()
        if update.get("status") in _ENDED:
            return
        told.add(update)
        if len(told.shown.get("rawInput", "")) > MOST_ARGUMENTS:
            del told.shown["rawInput"]
        self._told[number] = told  # the last one
        if len(self._told) > MOST:
            del self._told[next(iter(self._told))]

    def asked_for(self, call: dict[str, Any]) -> dict[str, str]:
        """What Lua is told of a call that a permission is asked for.

        :param call: as the request has it.
        :return: ``toolCallId``, ``title``, ``kind``, ``rawInput`` as JSON; ``changes``, as text;
            ``digest``, of what it is and all that it is called with, where that is known.
        """
        number = call["toolCallId"]
        told = self._told.get(number) or _Told()
        told.add(call)
        found = {"toolCallId": number, **{name: text for name, text in told.shown.items() if text}}
        digests = {name: digest for name, digest in told.digests.items() if digest}
        if digests:
            said = [told.shown.get("title"), told.shown.get("kind"), digests]
            found["digest"] = _digest(said)
        return found


def _digest(value: Any) -> str:
    return sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _changes(content: list[dict[str, Any]]) -> str:
    """The changes to files among what a call has to show."""
    texts = []
    left = MOST_SHOWN
    for one in content:
        if one.get("type") == "diff":
            text = change(one["path"], one.get("oldText"), one["newText"])
            texts.append(_cut(text, left))
            left -= len(texts[-1])
            if left <= 0:
                break
    return "".join(texts)


def _cut(text: str, most: int) -> str:
    if len(text) <= most:
        return text
    return f"{text[:most]}\n... ({len(text)} characters)\n"


def change(path: str, old: str | None, new: str) -> str:
    """A change to a file as a unified diff, in one hunk from the first line that differs on.

    :param old: None: there is no such file.
    """
    before, after = (old or "").splitlines(), new.splitlines()
    first, last = 0, 0
    shorter = min(len(before), len(after))
    while first < shorter and before[first] == after[first]:
        first += 1
    while last < shorter - first and before[-1 - last] == after[-1 - last]:
        last += 1
    start = max(first - CONTEXT, 0)
    below = before[len(before) - last :][:CONTEXT]
    gone, came = before[first : len(before) - last], after[first : len(after) - last]
    lines = [f"--- {'/dev/null' if old is None else path}", f"+++ {path}"]
    around = first - start + len(below)
    where = [
        f"{start + (1 if count else 0)},{count}"
        for count in (around + len(gone), around + len(came))
    ]
    lines.append(f"@@ -{where[0]} +{where[1]} @@")
    lines += [f" {line}" for line in before[start:first]]
    lines += [f"-{line}" for line in gone]
    lines += [f"+{line}" for line in came]
    lines += [f" {line}" for line in below]
    return "\n".join(lines) + "\n"
