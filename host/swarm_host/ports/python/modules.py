"""The modules beside a script, loaded afresh for each generation of it.

Each generation is a package of a name that nobody else has, whose path is the script's folder: so
its modules are loaded by Python's own machinery, and stand in ``sys.modules`` beside those of other
generations and other hosts. What makes ``import helpers`` in one of them mean the one beside it is
an ``__import__`` of their own, in the builtins that they see; ``sys.path`` stays as it is.
"""

from __future__ import annotations

import builtins
import os
import sys
from collections.abc import Mapping, Sequence
from functools import cache, partial
from hashlib import blake2b
from importlib import import_module, util
from importlib.abc import MetaPathFinder
from importlib.machinery import (
    EXTENSION_SUFFIXES,
    SOURCE_SUFFIXES,
    ExtensionFileLoader,
    FileFinder,
    ModuleSpec,
    SourceFileLoader,
)
from itertools import count
from types import CodeType, ModuleType
from typing import Any

PREFIX = "_swarm_"
_NUMBERS = count(1)
_LIVE: dict[str, Modules] = {}


class Missing(Exception):
    """There is no module of a name, beside the script or installed."""


class Modules:
    """The modules beside one script, in one generation.

    :param folder: the script's folder as its author spells it, with its slash; "": where we are.
    :ivar package: the package that they are in.
    :ivar files: the files that were read, as the author spells them, each with its digest.
    :ivar missing: files that were looked for and are not there.
    """

    def __init__(self, folder: str) -> None:
        self._shown = folder
        self._folder = os.path.abspath(folder or ".")
        self.package = f"{PREFIX}{next(_NUMBERS)}"
        self.files: dict[str, str] = {}
        self.missing: list[str] = []
        self.builtins = {**vars(builtins), "__import__": self._import}
        self._own: dict[str, bool] = {}  # the first word of a name → whether it is beside us
        self._imports: dict[str, set[str]] = {}  # module → those that it asked for
        root = ModuleType(self.package)
        root.__path__ = [self._folder]
        root.__spec__ = ModuleSpec(self.package, None, is_package=True)
        sys.modules[self.package] = root
        _LIVE[self.package] = self
        if _FINDER not in sys.meta_path:
            sys.meta_path.insert(0, _FINDER)  # before the one that would find them by their path

    def close(self) -> None:
        """Lets go of them: what still runs in one of them goes on."""
        del _LIVE[self.package]
        below = f"{self.package}."
        for name in [name for name in sys.modules if name.startswith(below)]:
            del sys.modules[name]
        del sys.modules[self.package]

    def load(self, name: str) -> ModuleType:
        """The module of a name: beside the script, else an installed one. It may take long.

        :raises Missing: there is none.
        :raises BaseException: whatever loading it raised.
        """
        top = name.partition(".")[0]
        is_own = self.has(top)
        full = f"{self.package}.{name}" if is_own else name
        if not is_own and not util.find_spec(top):
            place = f"{self._shown}{name.replace('.', '/')}"
            self.missing += [f"{place}.py", f"{place}/__init__.py"]
        try:
            return import_module(full)
        except ModuleNotFoundError as problem:
            if problem.name is not None and f"{full}.".startswith(f"{problem.name}."):
                raise Missing(name) from None
            raise

    def has(self, top: str) -> bool:
        """Whether a module of this name lies beside the script, and goes before any other."""
        known = self._own.get(top)
        if known is None:
            known = self._own[top] = self._looks_for(top)
        return known

    def _looks_for(self, top: str) -> bool:
        if top in sys.builtin_module_names:
            return False
        spec = self.find(f"{self.package}.{top}", [self._folder])
        if spec is None:
            return False
        if spec.loader is not None:
            return True
        return util.find_spec(top) is None  # a folder without code stands behind what is installed

    def find(self, full: str, path: Sequence[str]) -> ModuleSpec | None:
        """Looks for a module of this generation in some folders."""
        kinds: list[tuple[Any, list[str]]] = [
            (ExtensionFileLoader, EXTENSION_SUFFIXES),
            (partial(_Source, self), SOURCE_SUFFIXES),
        ]
        for folder in path:
            spec = FileFinder(folder, *kinds).find_spec(full)
            if spec is not None:
                return spec
        return None

    def note(self, path: str, source: bytes) -> None:
        """A file was read."""
        self.files[self.shown(path)] = blake2b(source, digest_size=16).hexdigest()

    def shown(self, path: str) -> str:
        """A path as the script's author spells those beside the script."""
        below = f"{self._folder}/"
        return f"{self._shown}{path[len(below) :]}" if path.startswith(below) else path

    def is_own(self, path: str) -> bool:
        """Whether a file lies beside the script, or below."""
        return path.startswith(f"{self._folder}/")

    def plain(self, text: str) -> str:
        """A text without the name that our package has."""
        return text.replace(f"{self.package}.", "")

    def digest(self, module: ModuleType) -> str:
        """What a module is made of, and all beside the script that it imports: where this is the
        same, nothing has changed."""
        if not module.__name__.startswith(f"{self.package}."):
            return _digest_of_installed(module.__name__)
        known = self._below(module.__name__)
        paths = {getattr(sys.modules.get(name), "__file__", None) or "" for name in known}
        shown = sorted(self.shown(path) for path in paths if path)
        return " ".join(f"{path} {self.files.get(path, '')}" for path in shown)

    def _below(self, name: str) -> set[str]:
        found: set[str] = set()
        ahead = [name]
        while ahead:
            at = ahead.pop()
            if at in found or not at.startswith(f"{self.package}."):
                continue
            found.add(at)
            ahead += [at.rpartition(".")[0], *self._imports.get(at, ())]
        return found

    def _import(
        self,
        name: str,
        globals: Mapping[str, object] | None = None,
        locals: Mapping[str, object] | None = None,
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> ModuleType:
        """What ``import`` means in these modules."""
        given = globals or {}
        full = name
        if level == 0 and self.has(name.partition(".")[0]):
            full = f"{self.package}.{name}"
        elif level > 0:
            full = util.resolve_name("." * level + name, str(given.get("__package__") or ""))
        asked = self._imports.setdefault(str(given.get("__name__")), set())
        asked.add(full)
        if full == name or level > 0:
            found = builtins.__import__(name, given, locals, fromlist or (), level)
        else:
            import_module(full)
            found = sys.modules[".".join(full.split(".")[:2])]
            if fromlist:
                found = builtins.__import__(full, given, locals, fromlist, 0)
        asked |= {f"{full}.{item}" for item in fromlist or () if f"{full}.{item}" in sys.modules}
        return found


class _Source(SourceFileLoader):
    """Reads what a file holds now: a compiled one of the same second and size may be older."""

    def __init__(self, modules: Modules, name: str, path: str) -> None:
        super().__init__(name, path)
        self._modules = modules

    def get_code(self, fullname: str) -> CodeType | None:
        path = self.get_filename(fullname)
        source = self.get_data(path)
        self._modules.note(path, source)
        code: CodeType = self.source_to_code(source, path)
        return code

    def exec_module(self, module: ModuleType) -> None:
        vars(module)["__builtins__"] = self._modules.builtins
        super().exec_module(module)


class _Finder(MetaPathFinder):
    """Finds the modules of the generations that are alive, and no other."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        modules = _LIVE.get(fullname.partition(".")[0])
        return None if modules is None or path is None else modules.find(fullname, path)


_FINDER = _Finder()


@cache
def _digest_of_installed(name: str) -> str:
    """What the file of an installed module held when it was first asked for in this process: it is
    not loaded anew, whatever becomes of the file."""
    path = getattr(sys.modules[name], "__file__", None)
    if path is None:
        return name
    with open(path, "rb") as file:
        return f"{name} {blake2b(file.read(), digest_size=16).hexdigest()}"


def generation_of(name: str) -> str:
    """The package of the generation that a module of this name is of; "": none."""
    top = name.partition(".")[0]
    return top if top in _LIVE else ""
