"""How Lua is asked. Each function of ``lua/swarm/doors/python.lua`` answers in one way: true and
its values; false and an error as JSON, which is raised here as a
:class:`~swarm_host.errors.SwarmError`; or false alone where memory has run out: from then on nobody
asks Lua for anything.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from swarm_host.errors import OutOfMemory, SwarmError
from swarm_host.vm.luajit import VM
from swarm_host.vm.turn import read_turn

UNASKED = 32 * 1024
"""Bytes that need not be asked for: ``lua/swarm/scheduler/heap.lua`` keeps more of them free."""


class Asked:
    """A VM whose functions are called by their names."""

    def __init__(self) -> None:
        self._vm = VM()
        self._functions: dict[str, Callable[..., Any]] = {}
        self._turn_address: int | None = None
        self._out_of_memory: dict[str, Any] | None = None

    def _ask(self, name: str, *arguments: object) -> Any:
        """Calls a function of Lua. Returns its value; several as a tuple; None for none."""
        if self._out_of_memory is not None:
            raise OutOfMemory(self._out_of_memory)
        function = self._functions.get(name)
        if function is None:
            function = self._functions[name] = self._vm.function(name)
        try:
            answer = function(*arguments)
        except MemoryError:  # Lua could not go on, or Python not take what it answered
            answer = False
        if answer is True:
            return None
        if answer is False:
            self._out_of_memory = self._memory_error()
            raise OutOfMemory(self._out_of_memory)
        ok, *values = answer
        if not ok:
            raise SwarmError(json.loads(values[0]))
        return values[0] if len(values) == 1 else tuple(values)

    def _give(self, name: str, *arguments: object) -> Any:
        """Calls a function of Lua with what may be large. Lua has to make room for it first: where
        there is none as lupa puts it on the stack, the process ends without a word."""
        size = sum(len(one) for one in arguments if isinstance(one, bytes))
        if size > UNASKED:
            self.need_memory(size)
        return self._ask(name, *arguments)

    def _memory_error(self) -> dict[str, Any]:
        """Who had control as memory ran out. Lua cannot be asked any more."""
        holder = ""
        if self._turn_address is not None:
            turn = read_turn(self._turn_address)
            holder = "" if turn.worker is None else f" while {turn.name} had control"
        return {"code": "out_of_memory", "message": f"memory ran out{holder}"}

    def _ask_json(self, name: str, *arguments: object) -> Any:
        text = self._ask(name, *arguments)
        return None if text is None else json.loads(text)

    def need_memory(self, size: int) -> None:
        """Has Lua make room for so many bytes; raises OutOfMemory where there is none."""
        self._ask("need_memory", size)
