"""How editors and tools save a file, each in its own way."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path


def in_place(path: Path, text: str) -> None:
    """Truncates and writes, as VS Code and nano do."""
    path.write_text(text)


def by_rename(path: Path, text: str) -> None:
    """Writes another file and renames it over: many editors, and every careful program."""
    other = path.with_name(f"{path.name}.tmp")
    other.write_text(text)
    other.replace(path)


def vim(path: Path, text: str) -> None:
    """Probes the folder with 4913, moves the old file away, writes anew, deletes the old one."""
    probe, backup = path.with_name("4913"), path.with_name(f"{path.name}~")
    probe.touch()
    probe.unlink()
    path.rename(backup)
    with path.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    path.chmod(0o644)
    backup.unlink()


def emacs(path: Path, text: str) -> None:
    """A link as a lock while it is open, an autosave, and a backup that stays."""
    lock, autosave = path.with_name(f".#{path.name}"), path.with_name(f"#{path.name}#")
    lock.symlink_to("somebody@machine.1234:5678")
    autosave.write_text(text)
    path.replace(path.with_name(f"{path.name}~"))
    path.write_text(text)
    autosave.unlink()
    lock.unlink()


def in_pieces(path: Path, text: str) -> None:
    """Writes a few bytes at a time."""
    with path.open("w") as file:
        for start in range(0, len(text), 8):
            file.write(text[start : start + 8])
            file.flush()


def by_delete(path: Path, text: str) -> None:
    """Takes the file away, and makes another."""
    path.unlink()
    path.write_text(text)


def sed(path: Path, text: str) -> None:
    """``sed -i``."""
    subprocess.run(["sed", "-i", f"1s/.*/{text.strip()}/", str(path)], check=True)


def copy(path: Path, text: str) -> None:
    """``cp`` over it."""
    other = path.with_name("other")
    other.write_text(text)
    shutil.copyfile(other, path)


def move(path: Path, text: str) -> None:
    """``mv`` of a file that is older than the one it replaces."""
    other = path.with_name("other")
    other.write_text(text)
    os.utime(other, (1_000_000_000, 1_000_000_000))
    other.rename(path)


WAYS: dict[str, Callable[[Path, str], None]] = {
    way.__name__: way
    for way in (in_place, by_rename, vim, emacs, in_pieces, by_delete, sed, copy, move)
}
