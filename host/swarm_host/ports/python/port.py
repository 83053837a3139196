"""Port ``python``: loads the functions that workers of that kind run, and runs them."""

from __future__ import annotations

import inspect
from typing import Any

from swarm_host.ports.contract import Answer, Call
from swarm_host.ports.python import registered
from swarm_host.ports.python.functions import Function, Unfit, member
from swarm_host.ports.python.modules import Missing, Modules
from swarm_host.ports.python.raised import Authors
from swarm_host.ports.python.running import Loaded, Run
from swarm_host.ports.python.threads import Threads, Work

THREADS = 64
"""Functions that run in threads at once, in one run; others wait for a place."""


class Python:
    """The functions of all generations that are alive, by number."""

    def __init__(self) -> None:
        self._threads: Threads | None = None
        self._loading: Threads | None = None
        self._modules: dict[str, Modules] = {}
        self._loaded: dict[int, Loaded] = {}
        self._numbers = 0

    async def __call__(self, payload: dict[str, Any], call: Call) -> Answer:
        """Runs ``payload["op"]``: ``load`` a function, ``call`` it, ``forget`` a generation.

        :raises PortError: what the function raised.
        """
        if self._threads is None:
            self._threads = Threads(THREADS)
        if payload["op"] == "call":
            loaded = self._loaded[payload["function"]]
            run = Run(loaded, payload, call)
            if loaded.function.is_async:
                return await run.in_loop()
            return await run.in_thread(self._threads)
        if payload["op"] == "load":
            return await self._load(payload)
        self._forget(payload["of"])
        return Answer()

    async def aclose(self) -> None:
        """Lets go of all."""
        for of in list(self._modules):
            self._forget(of)
        for threads in (self._threads, self._loading):
            if threads is not None:
                threads.close()

    def _forget(self, of: str) -> None:
        modules = self._modules.pop(of)
        gone = [number for number, one in self._loaded.items() if one.modules is modules]
        for number in gone:
            del self._loaded[number]
        registered.forget(of)
        modules.close()

    async def _load(self, payload: dict[str, Any]) -> Answer:
        """Loads one function, in a thread: what is imported may take long.

        :return: its number as ``function``; what it is made of, as ``code``; else the ``problem``.
        """
        modules = self._modules.get(payload.get("of") or "")
        if modules is None:
            modules = Modules(payload["folder"])
            self._modules[modules.package] = modules
        if self._loading is None:
            self._loading = Threads(1)
        work = Work()
        about: dict[str, Any] = {"of": modules.package}
        await self._loading.place(work)
        try:
            self._loading.begin(work, lambda: _loaded(payload["name"], modules))
            found = await work.ended()
        finally:
            self._loading.leave(work)
        if isinstance(found, str):
            about["problem"] = found
        else:
            loaded, about["code"] = found
            self._numbers += 1
            self._loaded[self._numbers] = loaded
            about["function"] = self._numbers
        return Answer({**about, "files": list(modules.files), "missing": modules.missing})


def _loaded(name: str, modules: Modules) -> tuple[Loaded, str] | str:
    """The function of a name and what it is made of; or what is wrong."""
    module_name, _, path = name.partition(":")
    try:
        if path:
            module = modules.load(module_name)
            found = member(module, path, module_name)
        else:
            found = registered.find(name, modules.package)
            if found is None:
                return _unknown(name, modules)
        function = Function(found, path or name)
    except Missing:
        return f"there is no module {module_name}, beside the script or installed"
    except Unfit as problem:
        return modules.plain(str(problem))
    except BaseException as raised:  # of a module, whatever it is
        what = f"module {module_name}" if path else f"what brings {name}"
        return f"{what} does not load: {Authors(modules, module_name).of_loading(raised)}"
    of = getattr(found, "__module__", None) or module_name
    home_module = inspect.getmodule(found)
    code = "" if home_module is None else modules.digest(home_module)
    if path:
        code = f"{modules.digest(module)}\n{code}"
    authors = Authors(modules, of)
    return Loaded(function, modules, authors, _home(found, authors)), code


def _unknown(name: str, modules: Modules) -> str:
    known = ", ".join(registered.names(modules.package))
    is_module = modules.has(name.partition(".")[0])
    hint = f'; of a module say which: "{name}:function"' if is_module else ""
    return (
        f"no function is registered as {name}{hint}"
        + ("; there are " + known if known and not hint else "")
        + ("" if known or hint else '; write "module:function", or register it: '
           f'@swarm_host.worker("{name}")')
    )  # fmt: skip


def _home(found: Any, authors: Authors) -> str | None:
    code = getattr(inspect.unwrap(found), "__code__", None)
    return None if code is None else authors.place(code.co_filename, code.co_firstlineno)
