"""What a function, or a module as it is loaded, raised: as an error with the author's frames."""

from __future__ import annotations

import os
import sys
from types import FrameType
from typing import Any

from swarm_host.errors import SwarmError
from swarm_host.ports.contract import PortError
from swarm_host.ports.python.modules import Modules

_MOST_FRAMES = 30
_MOST_CAUSES = 8

_OURS = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))) + "/"


class Authors:
    """Whose files are an author's: those beside the script, and those of the package that the
    function is of.

    :param modules: the modules beside the script.
    :param module: the name of the function's.
    """

    def __init__(self, modules: Modules, module: str) -> None:
        self._modules = modules
        self._file = self._below = ""
        top = sys.modules.get(module.partition(".")[0])
        path = getattr(top, "__file__", None)
        if path is not None:
            is_package = hasattr(top, "__path__")
            self._below = f"{os.path.dirname(path)}/" if is_package else ""
            self._file = path

    def has(self, path: str) -> bool:
        """Whether a file is one of them."""
        if path.startswith(_OURS):
            return False
        return (
            self._modules.is_own(path)
            or path == self._file
            or bool(self._below and path.startswith(self._below))
        )

    def place(self, path: str, line: int) -> str:
        """A line, as messages name it."""
        return f"{self._modules.shown(path)}:{line}"

    def frames(self, problem: BaseException) -> list[tuple[str, str]]:
        """The place and the function of each frame of theirs, the innermost first."""
        found, at = [], problem.__traceback__
        while at is not None:
            code = at.tb_frame.f_code
            if self.has(code.co_filename):
                found.append((self.place(code.co_filename, at.tb_lineno), code.co_name))
            at = at.tb_next
        return found[::-1]

    def at_work(self, frame: FrameType | None) -> str | None:
        """The innermost line of theirs that a thread is at."""
        while frame is not None:
            if self.has(frame.f_code.co_filename):
                return self.place(frame.f_code.co_filename, frame.f_lineno)
            frame = frame.f_back
        return None

    def problem(self, raised: BaseException, home: str | None) -> PortError:
        """The error that what was raised is for whoever joins the worker.

        :param home: where the function is, for what is raised outside of the author's files.
        """
        fields = self._fields(raised, 0)
        code, message = fields.pop("code"), fields.pop("message")
        fields["where"] = fields.get("where") or home
        return PortError(code, message, **fields)

    def _fields(self, raised: BaseException, depth: int) -> dict[str, Any]:
        frames = self.frames(raised)
        fields: dict[str, Any] = {"code": "failed", "type": type(raised).__name__}
        fields["message"] = self.text(raised)
        if isinstance(raised, SwarmError):  # it arrives whole
            fields |= {key: value for key, value in raised.error.items() if key != "traceback"}
        fields["where"] = frames[0][0] if frames else None
        fields["traceback"] = "\n".join(_line(*frame) for frame in frames[:_MOST_FRAMES])
        if depth < _MOST_CAUSES:
            cause = raised.__cause__ or (
                None if raised.__suppress_context__ else raised.__context__
            )
            if cause is not None:
                fields["cause"] = self._fields(cause, depth + 1)
            if isinstance(raised, BaseExceptionGroup):
                fields["errors"] = [self._fields(one, depth + 1) for one in raised.exceptions]
        return fields

    def text(self, raised: BaseException) -> str:
        """The type and the message of what was raised, and the notes that it has."""
        kind = type(raised).__name__
        try:
            said = str(raised.msg) if isinstance(raised, SyntaxError) else str(raised)
        except Exception as problem:
            said = f"its message cannot be read: {type(problem).__name__}"
        notes = [str(note) for note in getattr(raised, "__notes__", ())]
        text = "\n".join([f"{kind}: {said}" if said else kind, *notes])
        return self._modules.plain(text)

    def of_loading(self, raised: BaseException) -> str:
        """What loading a module raised, with its place and the frames that led there."""
        frames = self.frames(raised)
        if isinstance(raised, SyntaxError) and raised.filename and raised.lineno:
            frames.insert(0, (self.place(raised.filename, raised.lineno), ""))
        where = f"{frames[0][0]}: " if frames else ""
        further = [_line(*frame) for frame in frames[1:_MOST_FRAMES]]
        return "\n".join([f"{where}{self.text(raised)}", *further])


def _line(place: str, function: str) -> str:
    return f"  {place}: in {'module' if function == '<module>' else f'function {function!r}'}"
