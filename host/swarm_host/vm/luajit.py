"""A LuaJIT VM, booted with the host's Lua and closed to the outside.

No Python object is ever reachable from a script. The VM is made with bytes both ways (a failing
conversion would hand a live exception to Lua's ``pcall``), lupa's ``python`` table is removed
before any other code runs, and the one function that Lua is given never raises
(:meth:`swarm_host.vm.kernel.Kernel.boot`).
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lupa.luajit21 as luajit

from swarm_host.vm.compiled import modules

_BOOT = rb"""
local code, is_first = ...
python = nil
package.loaded.python = nil
-- A C module's way out, and the paths of the machine, are closed to host Lua too.
local path, cpath = package.path, package.cpath
package.path, package.cpath = "", ""
local modules = {}
local at = code:find("\n\n", 1, true) + 2
for name, chunk_name, size in code:sub(1, at):gmatch("(%S+) (%S+) (%d+)\n") do
  modules[name] = { code:sub(at, at + size - 1), chunk_name }
  at = at + size
end
code = nil
package.loaders[2] = function(name)
  local module = modules[name]
  modules[name] = nil
  if not module then
    return "\n\tno host module " .. name
  end
  return assert(loadstring(module[1], module[2]))
end
package.preload["swarm.vm"] = function()
  return { is_first = is_first, path = path, cpath = cpath }
end
package.loaders[3], package.loaders[4] = nil, nil
return require "swarm.doors.python"
"""


def open_to_c_modules() -> None:
    """Lets C modules that scripts load find the functions of this Lua, for the whole process."""
    ctypes.CDLL(luajit.__file__, mode=os.RTLD_NOW | os.RTLD_GLOBAL | os.RTLD_NOLOAD)


def lua_folder() -> Path:
    """Where the host's Lua is: inside the installed package, or beside ``host/`` in a checkout."""
    package = Path(__file__).resolve().parents[1]
    installed = package / "lua"
    return installed if installed.is_dir() else package.parents[1] / "lua"


class VM:
    """One LuaJIT VM with the host's Lua loaded. :class:`swarm_host.vm.kernel.Kernel` has one."""

    _one_was_made = False  # the first VM of a process has a faster way (lua/swarm/ground/site.lua)

    def __init__(self) -> None:
        self._runtime = luajit.LuaRuntime(
            encoding=None,
            register_eval=False,
            register_builtins=False,
            unpack_returned_tuples=True,
        )
        is_first, VM._one_was_made = not VM._one_was_made, True
        self._door = self._runtime.execute(_BOOT, modules(lua_folder()), is_first)

    def function(self, name: str) -> Callable[..., Any]:
        """A function of ``lua/swarm/doors/python.lua``: bytes, numbers and booleans both ways."""
        found: Callable[..., Any] = self._door[name.encode()]
        return found
