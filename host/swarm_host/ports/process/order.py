"""What Lua asks for: a payload, and texts that may be any bytes beside it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any


@dataclass(slots=True)
class Order:
    """What Lua asks for: the payload, with the texts that came beside it in their places.

    In ``arguments``, ``env`` and ``folder`` a zero byte stands for the path of the prompt's file;
    ``input`` is in pieces with that path between them, and None where the child gets none.
    """

    payload: dict[str, Any]
    arguments: list[bytes]
    env: dict[bytes, bytes]
    folder: bytes | None
    input: list[bytes] | None
    prompt: bytes | None
    who: str

    @classmethod
    def read(cls, payload: dict[str, Any], data: bytes) -> Order:
        """Takes the texts apart.

        :param payload: with the ``sizes`` of all texts, and how many there are of each.
        :param data: the texts, one after the other.
        """
        texts, at = [], 0
        for size in payload["sizes"]:
            texts.append(data[at : at + size])
            at += size
        following = iter(texts)

        def take(count: int) -> list[bytes]:
            return [next(following) for _ in range(count)]

        return cls(
            payload,
            arguments=take(payload["arguments"]),
            env=dict(zip(map(os.fsencode, payload["env"]), following, strict=False)),
            folder=next(following) if payload["folder"] else None,
            input=take(payload["input"]) or None,
            prompt=next(following) if payload["prompt_file"] else None,
            who=payload["who"],
        )

    def with_prompt_file(self, path: bytes) -> None:
        """Puts the path of the prompt's file where it belongs."""
        self.arguments = [text.replace(b"\0", path) for text in self.arguments]
        self.env = {name: text.replace(b"\0", path) for name, text in self.env.items()}
        if self.folder is not None:
            self.folder = self.folder.replace(b"\0", path)
        if self.input is not None:
            self.input = [path.join(self.input)]
