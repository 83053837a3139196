"""An editor for an answer that is longer than a line."""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_END_SECONDS = 0.3
"""How long an editor that is ended may take."""


class NoEditor(Exception):
    """There is none; the text says why."""


class Editor:
    """A text in an editor.

    :param text: what it begins with.
    :raises NoEditor: it cannot be started.
    """

    def __init__(self, text: str) -> None:
        self._path = _file_with(text)
        words = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
        try:
            command = [*shlex.split(words), str(self._path)]
            with _waiting_terminal() as end:
                self._process = subprocess.Popen(command, stdin=end, stdout=end, stderr=end)
        except (OSError, ValueError) as problem:
            self._path.unlink(missing_ok=True)
            why = problem.strerror if isinstance(problem, OSError) else str(problem)
            raise NoEditor(f"{words} cannot be started: {why}; set VISUAL to an editor") from None

    @property
    def goes_on(self) -> bool:
        """Whether somebody writes."""
        return self._process.poll() is None

    def wait(self) -> None:
        """Waits until it has ended."""
        self._process.wait()

    def text(self) -> str:
        """What was written, without the line's end that editors add.

        :raises NoEditor: the editor failed, or what it has left is no text.
        """
        if self._process.returncode != 0:
            raise NoEditor(f"the editor ended with status {self._process.returncode}")
        try:
            return self._path.read_text("utf-8").removesuffix("\n")
        except (OSError, UnicodeDecodeError) as problem:
            raise NoEditor(f"what was written cannot be read: {problem}") from None

    def close(self) -> None:
        """Ends it, if it goes on, and takes the file away."""
        if self.goes_on:
            self._process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_END_SECONDS)
        if self.goes_on:
            self._process.kill()
            self._process.wait()
        self._path.unlink(missing_ok=True)


def _file_with(text: str) -> Path:
    file, path = tempfile.mkstemp(prefix="answer-", suffix=".txt")
    with os.fdopen(file, "w", encoding="utf-8", errors="replace") as opened:
        opened.write(text + "\n" if text else "")
    return Path(path)


@contextmanager
def _waiting_terminal() -> Iterator[int]:
    """The terminal once more, by a descriptor that waits: programs expect that."""
    own = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    try:
        yield own
    finally:
        os.close(own)
