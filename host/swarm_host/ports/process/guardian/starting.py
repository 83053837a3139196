"""One start."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import errno
import os

RESET = (_signal.SIGPIPE, _signal.SIGXFSZ)
"""Python ignores these two. Children do not."""


def start(
    files: list[int],
    program: bytes,
    arguments: list[bytes],
    variables: dict[bytes, bytes],
    folder: bytes,
    limits: dict[str, int],
    terminal: bool,
) -> int:
    """Starts a process, in a session of its own.

    :param files: what it gets as standard input, output and error.
    :param limits: what is bounded, as in ``RLIMIT_*`` but in lower case, and by how much.
    :param terminal: its standard input becomes its controlling terminal.
    :return: its process id.
    :raises OSError: the system could not start it.
    """
    try:
        os.chdir(folder)
        if limits or terminal:
            return _fork(files, program, arguments, variables, limits, terminal)
        # Half as dear as a fork, which copies what it then throws away.
        return os.posix_spawn(
            program,
            arguments,
            variables,
            file_actions=[(os.POSIX_SPAWN_DUP2, fd, place) for place, fd in enumerate(files)],
            setsid=True,
            setsigdef=RESET,
        )
    except ValueError:
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL)) from None
    finally:
        os.chdir("/")


def _fork(
    files: list[int],
    program: bytes,
    arguments: list[bytes],
    variables: dict[bytes, bytes],
    limits: dict[str, int],
    terminal: bool,
) -> int:
    import fcntl
    import resource
    import termios

    bounds = []
    for name, most in limits.items():
        kind = getattr(resource, f"RLIMIT_{name.upper()}")
        hard = resource.getrlimit(kind)[1]
        least = most if hard == resource.RLIM_INFINITY else min(most, hard)
        bounds.append((kind, (least, least)))
    hears, tells = os.pipe()
    pid = os.fork()
    if pid == 0:
        problem = errno.EINVAL
        try:
            for number in RESET:
                _signal.signal(number, _signal.SIG_DFL)
            os.setsid()
            if terminal:
                fcntl.ioctl(files[0], termios.TIOCSCTTY, 0)
            for place, fd in enumerate(files):
                os.dup2(fd, place)
            for kind, bound in bounds:
                resource.setrlimit(kind, bound)
            os.execve(program, arguments, variables)
        except OSError as caught:
            problem = caught.errno or problem
        except MemoryError:
            problem = errno.ENOMEM
        finally:
            os.write(tells, problem.to_bytes(4, "little"))
            os._exit(127)
    os.close(tells)
    said = os.read(hears, 4)
    os.close(hears)
    if said:
        os.waitpid(pid, 0)
        problem = int.from_bytes(said, "little")
        raise OSError(problem, os.strerror(problem))
    return pid
