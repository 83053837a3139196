"""The Lua side, from Python: the VM, what the kernel offers, and whose turn it is."""

from swarm_host.vm.luajit import VM, lua_folder

__all__ = ["VM", "lua_folder"]
