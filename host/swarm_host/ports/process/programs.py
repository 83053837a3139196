"""What a child is started with: its program within bounds, its folder, its environment."""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Callable, Iterable, Mapping, Sequence
from fnmatch import fnmatchcase, translate
from functools import lru_cache
from pathlib import Path

from swarm_host.errors import words_of
from swarm_host.ports.contract import PortError
from swarm_host.tokens.keys import VARIABLE as TOKEN_KEYS

INHERITED = (
    *("PATH", "HOME", "LANG", "LC_*", "TERM", "TMPDIR", "USER", "SHELL", "XDG_*", "CI"),
    *("*_PROXY", "*_proxy", "SSL_CERT_*"),
)
"""Variables that every child gets from the host's environment."""

BY_NAME_ALONE = (TOKEN_KEYS,)
"""Variables that no glob inherits: who reads what they name makes any token of the run."""

VARIABLE = "env:"
"""What an entry of a bound begins with that admits a variable, not a program: ``env:GIT_DIR``."""

CHANGES_WHAT_RUNS = (
    *("PATH", "HOME", "SHELL", "TMPDIR", "XDG_*"),  # where programs look for others, and settings
    *("LD_*", "DYLD_*", "GCONV_PATH", "GLIBC_TUNABLES", "LOCPATH", "NLSPATH", "OPENSSL_*"),
    *("SSL_CERT_*", "SSLKEYLOGFILE", "*_PROXY", "*_proxy", "HOSTALIASES", "KRB5*", "GNUPGHOME"),
    *("ENV", "BASH*", "SHELLOPTS", "ZDOTDIR", "FPATH", "IFS", "CDPATH", "PS[0-9]", "PROMPT_*"),
    *("EDITOR", "VISUAL", "*_EDITOR", "*PAGER", "LESS*", "BROWSER", "*ASKPASS", "EXINIT", "VIM*"),
    *("GIT_*", "SSH_*", "HG*", "SVN_*", "CVS_*", "RSYNC_*", "TAR_*", "GZIP", "UNZIP*", "ZIP*"),
    *("PYTHON*", "PIP_*", "UV_*", "CONDA_*", "PERL*", "RUBY*", "GEM_*", "BUNDLE_*", "PHP*"),
    *("NODE_OPTIONS", "NODE_PATH", "NODE_EXTRA_*", "NODE_REPL_*", "NPM_CONFIG_*", "npm_config_*"),
    *("YARN_*", "DENO_*", "BUN_*", "TS_NODE_*", "ELECTRON_*", "LUA_*", "TCL*", "ERL_*", "GUILE_*"),
    *("JAVA_*", "_JAVA_*", "JDK_*", "JVM_*", "CLASSPATH", "MAVEN_*", "GRADLE_*", "ANT_*"),
    *("DOTNET_*", "COR_*", "CORECLR_*", "COMPlus_*", "MONO_*", "JULIA_*", "R_LIBS*", "R_PROFILE*"),
    *("R_ENVIRON*", "R_HOME", "RUSTC*", "RUSTDOC*", "RUSTUP_*", "CARGO_HOME", "CARGO_ALIAS_*"),
    *("CARGO_BUILD_*", "CARGO_TARGET_*", "GOENV", "GOFLAGS", "GOPATH", "GOROOT", "GOPROXY"),
    *("GOTOOLCHAIN", "GOWORK", "GOBIN", "CC", "CXX", "CPP", "AR", "AS", "LD", "*FLAGS", "GCC_*"),
    *("MAKE*", "GNUMAKE*", "CMAKE_*", "NINJA_*", "PKG_CONFIG*", "COMPILER_PATH", "LIBRARY_PATH"),
    *("CPATH", "*_INCLUDE_PATH", "DOCKER_CONFIG", "DOCKER_HOST", "KUBECONFIG", "AWS_CONFIG_FILE"),
    *("AWS_SHARED_*", "TF_CLI_*", "ANSIBLE_*", "PGSERVICEFILE", "PGSYSCONFDIR", "PSQL*"),
)
"""Variables by which a program is made to run other code, or to obey somebody else's settings.

No such list is ever whole: programs that were not thought of here have their own. It has what makes
common programs load, run or fetch something else.
"""


TOO_MANY = (errno.EMFILE, errno.ENFILE)

SHOWN = 200
"""Bytes of a name or a path that a message shows."""


def shown(text: bytes) -> str:
    """Bytes of the author's for a message."""
    cut = "..." if len(text) > SHOWN else ""
    return f'"{text[:SHOWN].decode(errors="replace")}{cut}"'


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
    for place in _places(os.environ.get("PATH", os.defpath)):
        if name and _is_program(place + name):
            return os.path.abspath(place + name)  # noqa: PTH100 - bytes
    hint = ""
    if b" " in name:
        own = shown(name)
        words = ", ".join(shown(word) for word in name.split())
        hint = f'; each argument is an item of its own: {{ {words} }}, or {{ "sh", "-c", {own} }}'
    raise PortError(
        "process_failed",
        f"{who}: there is no program {shown(name)} on the PATH of swarm-host{hint}",
    )


@lru_cache(maxsize=16)
def _places(path: str) -> tuple[bytes, ...]:
    """The folders of a PATH, each with its slash, so that a name can follow."""
    return tuple(
        os.path.join(os.fsencode(place), b"")  # noqa: PTH118 - bytes
        for place in path.split(os.pathsep)
    )


def _is_program(path: bytes) -> bool:
    # In most folders of PATH there is none, and access says so without an exception.
    return os.access(path, os.X_OK) and os.path.isfile(path)  # noqa: PTH113 - bytes


def bounded(
    program: bytes, arguments: Sequence[bytes], bounds: Sequence[Sequence[str]], who: str
) -> list[bytes]:
    """The arguments of a program that every list of the bounds admits.

    A program with several names is told the admitted one: some do different things by their name.

    :raises PortError: ``role_violation``.
    """
    real = os.path.realpath(program)
    name = arguments[0]
    for several in bounds:
        programs = [bound for bound in several if not bound.startswith(VARIABLE)]
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
            only = f"{who}: only {', '.join(programs) or 'nothing'} may run"
            raise PortError("role_violation", only, what=shown(program))
        name = admitted
    return [name, *arguments[1:]]


def check_variables(names: Iterable[bytes], bounds: Sequence[Sequence[str]]) -> None:
    """Refuses variables that change what a program runs, save those that every list names.

    :raises PortError: ``role_violation``.
    """
    for raw in names:
        name = os.fsdecode(raw)
        if not _any_of(CHANGES_WHAT_RUNS)(name):
            continue
        for several in bounds:
            listed = (entry.removeprefix(VARIABLE) for entry in several if entry[:4] == VARIABLE)
            if not any(fnmatchcase(name, glob) for glob in listed):
                what = f'env.{shown(raw)[1:-1]} (not listed as "{VARIABLE}{name}")'
                raise PortError("role_violation", f"{what} is out of bounds", what=what)


def environment(own: Mapping[bytes, bytes], inherit: Sequence[str] | None) -> dict[bytes, bytes]:
    """A child's environment.

    :param own: what is set for it; it goes first.
    :param inherit: globs of further variables to inherit; None: none are inherited at all.
    """
    if inherit is None:
        return {**own}
    names = _inherited(tuple(os.environb), (*INHERITED, *inherit))
    return {**{name: os.environb[name] for name in names}, **own}


@lru_cache(maxsize=64)
def _inherited(names: tuple[bytes, ...], globs: tuple[str, ...]) -> tuple[bytes, ...]:
    """Those names that one of several globs matches: each start asks, and they seldom change."""
    matches = _any_of(globs)
    return tuple(
        name
        for name, text in ((name, os.fsdecode(name)) for name in names)
        if matches(text) and (text not in BY_NAME_ALONE or text in globs)
    )


@lru_cache(maxsize=256)
def _any_of(globs: tuple[str, ...]) -> Callable[[str], object]:
    """What says whether a name matches one of several globs, in one go."""
    return re.compile("|".join(map(translate, globs))).match


def check_folder(folder: bytes, who: str) -> None:
    """Refuses a working directory that is not there, or that the system does not let us look at.

    :raises PortError: ``process_failed``.
    """
    try:
        if stat.S_ISDIR(Path(os.fsdecode(folder)).stat().st_mode):
            return
        problem = "is not a folder"
    except (FileNotFoundError, NotADirectoryError):
        problem = "does not exist"
    except OSError as caught:
        problem = f"cannot be used: {words_of(caught)}"
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
    if problem.errno in TOO_MANY:
        return "too many files are open: bound how many run at once with concurrency"
    return words_of(problem)
