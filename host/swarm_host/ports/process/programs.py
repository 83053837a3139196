"""What a child is started with: its program within bounds, its folder, its environment."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from swarm_host.ports.contract import PortError

INHERITED = (
    *("PATH", "HOME", "LANG", "LC_*", "TERM", "TMPDIR", "USER", "SHELL", "XDG_*", "CI"),
    *("*_PROXY", "*_proxy", "SSL_CERT_*"),
)
"""Variables that every child gets from the host's environment."""


def shown(text: bytes) -> str:
    """Bytes of the author's for a message."""
    return f'"{text.decode(errors="replace")}"'


def find(name: bytes, folder: bytes | None, who: str) -> bytes:
    """The path of a program: by the host's PATH, or from the child's folder where it has a slash.

    :raises PortError: ``process_failed``: there is none, or it cannot be run.
    """
    if b"/" in name:
        path = os.path.join(folder or b".", name)  # noqa: PTH118 - bytes
        if _is_program(path):
            return os.path.abspath(path)  # noqa: PTH100 - bytes; links stay, argv[0] may matter
        if not os.path.exists(path):  # noqa: PTH110 - bytes
            problem = f"there is no program {shown(name)}"
        elif os.path.isdir(path):  # noqa: PTH112 - bytes
            problem = f"{shown(name)} is a folder, not a program"
        else:
            problem = f"{shown(name)} is not executable: chmod +x it, or name its interpreter first"
        raise PortError("process_failed", f"{who}: {problem}")
    for place in os.get_exec_path():
        path = os.path.join(os.fsencode(place), name)  # noqa: PTH118 - bytes
        if name and _is_program(path):
            return os.path.abspath(path)  # noqa: PTH100 - bytes
    hint = ""
    if b" " in name:
        hint = '; each argument is an item of its own: { "git", "status" }, or use shell = "..."'
    raise PortError(
        "process_failed",
        f"{who}: there is no program {shown(name)} on the PATH of swarm-host{hint}",
    )


def _is_program(path: bytes) -> bool:
    return os.path.isfile(path) and os.access(path, os.X_OK)  # noqa: PTH113 - bytes


def bounded(
    program: bytes, arguments: Sequence[bytes], bounds: Sequence[Sequence[str]], who: str
) -> list[bytes]:
    """The arguments of a program that every list of the bounds admits.

    A program with several names is told the admitted one: some do different things by their name.

    :raises PortError: ``role_violation``.
    """
    real = os.path.realpath(program)
    name = arguments[0]
    for programs in bounds:
        admitted = None
        for bound in programs:
            try:
                path = find(os.fsencode(bound), None, who)
            except PortError:
                continue  # what is not there admits nothing
            if os.path.realpath(path) == real:
                same_name = os.path.basename(path) == os.path.basename(program)  # noqa: PTH119
                admitted = name if same_name else path
                if same_name:
                    break
        if admitted is None:
            only = f"{who}: only {', '.join(programs)} may run"
            raise PortError("role_violation", only, what=shown(program))
        name = admitted
    return [name, *arguments[1:]]


def environment(own: Mapping[bytes, bytes], inherit: Sequence[str] | None) -> dict[bytes, bytes]:
    """A child's environment.

    :param own: what is set for it; it goes first.
    :param inherit: globs of further variables to inherit; None: none are inherited at all.
    """
    result = {}
    if inherit is not None:
        globs = (*INHERITED, *inherit)
        for name, value in os.environb.items():
            if any(fnmatchcase(os.fsdecode(name), glob) for glob in globs):
                result[name] = value
    return {**result, **own}


def check_folder(folder: bytes, who: str) -> None:
    """Refuses a working directory that is not there.

    :raises PortError: ``process_failed``.
    """
    path = Path(os.fsdecode(folder))
    if not path.is_dir():
        problem = "is not a folder" if path.exists() else "does not exist"
        raise PortError("process_failed", f"{who}: the working directory {shown(folder)} {problem}")


def _too_big(arguments: Sequence[bytes], variables: Mapping[bytes, bytes]) -> str:
    """What of a start is more than the system takes: the larger of both, and its largest part."""
    sizes = {name: len(name) + len(value) + 2 for name, value in variables.items()}
    given, around = sum(len(text) + 1 for text in arguments), sum(sizes.values())
    if given >= around:
        what, how = (
            f"{given} bytes of arguments",
            "give what is large through stdin or {prompt_file}",
        )
    else:
        largest = max(sizes, key=lambda name: sizes[name])
        what = f"{around} bytes of environment ({sizes[largest]} of them in {shown(largest)})"
        how = "take what is large out of env, or give it through stdin or {prompt_file}"
    return f"{what} are more than the system takes (128 KiB each, about 2 MiB in all): {how}"


def _is_folder(folder: bytes | None) -> bool:
    try:
        return os.path.isdir(folder if folder is not None else os.getcwdb())  # noqa: PTH109, PTH112
    except OSError:
        return False


def reason(
    problem: OSError,
    program: bytes,
    arguments: Sequence[bytes],
    variables: Mapping[bytes, bytes],
    folder: bytes | None,
) -> str:
    """Why the system did not start a program, and what to do.

    :param folder: where it was to start; None: in the host's working directory.
    """
    if problem.errno == errno.E2BIG:
        return _too_big(arguments, variables)
    if problem.errno in (errno.ENOENT, errno.ENOTDIR) and not _is_folder(folder):
        return f"the working directory {shown(folder or b'of swarm-host')} is gone"
    if problem.errno == errno.ENOENT and not _is_program(program):
        return f"{shown(program)} is gone"
    if problem.errno == errno.ENOENT:
        return f"the interpreter that the first line of {shown(program)} names is not there"
    if problem.errno == errno.ENOEXEC:
        return f"{shown(program)} is no program: its first line must name its interpreter (#!)"
    if problem.errno in (errno.EMFILE, errno.ENFILE):
        return "too many files are open: bound how many run at once with concurrency"
    return (problem.strerror or str(problem)).lower()
