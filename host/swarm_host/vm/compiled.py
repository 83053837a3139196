"""The host's Lua as one text, compiled where that can be kept: to parse it takes every start longer
than all else that a small script needs.

It is kept as Python keeps its own modules: beside the sources in ``__pycache__`` or below
``PYTHONPYCACHEPREFIX``, unless ``PYTHONDONTWRITEBYTECODE`` is set, by the sources' sizes and times
and the compiler's build. Where it cannot be kept the text is the sources themselves.
"""

from __future__ import annotations

import os
import sys
import zlib
from contextlib import suppress
from importlib.util import cache_from_source
from pathlib import Path

import lupa.luajit21 as luajit

_COMPILE = rb"""
return jit.version, function(source, label)
  local compiled = loadstring(source, label)
  return compiled and string.dump(compiled) or source
end
"""


def modules(folder: Path) -> bytes:
    """All modules below a folder: for each a line with its name, its chunk's name and how many
    bytes it has, an empty line, and then their bytes one after another, as Lua's ``loadstring``
    takes them.
    """
    files = [_file("swarm", folder / "swarm.lua"), *_files(folder / "swarm", "swarm")]
    cache = Path(cache_from_source(str(folder / "swarm.lua"))).parent / "swarm.luajit"
    runtime = luajit.LuaRuntime(
        encoding=None, register_eval=False, register_builtins=False, unpack_returned_tuples=True
    )
    version, compiled = runtime.execute(_COMPILE)
    known_by = [(name, _chunk_name(name), *mark) for name, _, *mark in files]
    marks = repr((version, sys.byteorder, known_by)).encode()
    with suppress(OSError):
        kept = cache.read_bytes()
        known, body = kept[:8], kept[8:]
        if known == _sum(marks, body):
            return body
    sources = [(name, Path(path).read_bytes()) for name, path, *_ in files]
    if sys.dont_write_bytecode or not _may_write(cache.parent):
        return _joined(sources)
    body = _joined(
        [(name, compiled(source, _chunk_name(name).encode())) for name, source in sources]
    )
    with suppress(OSError):  # the disk is full, or somebody else's
        made = cache.with_suffix(f".{os.getpid()}")
        made.write_bytes(_sum(marks, body) + body)
        made.replace(cache)
    return body


_File = tuple[str, str, int, int]
"""A module's name, its path, its size and when it was written last."""


def _file(name: str, entry: os.DirEntry[str] | Path) -> _File:
    status = entry.stat()
    return name, os.fspath(entry), status.st_size, status.st_mtime_ns


def _files(folder: Path | str, above: str) -> list[_File]:
    found: list[_File] = []
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            name, dot, suffix = entry.name.partition(".")
            if entry.is_dir():
                found += _files(entry.path, f"{above}.{name}")
            elif dot + suffix == ".lua":
                found.append(_file(f"{above}.{name}", entry))
    return found


def _chunk_name(name: str) -> str:
    """ "=swarm/" marks the host's own frames, which tracebacks leave out."""
    return f"={name if '.' in name else f'swarm.{name}'}".replace(".", "/") + ".lua"


def _sum(marks: bytes, body: bytes) -> bytes:
    return zlib.crc32(marks).to_bytes(4, "big") + zlib.crc32(body).to_bytes(4, "big")


def _may_write(folder: Path) -> bool:
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
    return os.access(folder, os.W_OK)


def _joined(parts: list[tuple[str, bytes]]) -> bytes:
    index = "".join(f"{name} {_chunk_name(name)} {len(code)}\n" for name, code in parts)
    return index.encode() + b"\n" + b"".join(code for _, code in parts)
