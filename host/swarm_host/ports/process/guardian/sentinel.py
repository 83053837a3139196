"""The last resort, where both processes of the guardian have ended without a word: a shell that
belongs to nobody, and kills who bears the mark of the run. It is no Python and has no name of ours,
so that what kills those by their name (``pkill -9 python``) does not find it.
"""

from __future__ import annotations

import os

# It listens on descriptor 3: what runs in the background has nothing as its standard input. A line:
# all is well. The end without one: nobody is left to end what was started. A process may start
# others while it is being found, or be about to run its program and have no mark yet, so it looks
# until it has found nobody three times.
SCRIPT = r"""
(
  read -r _ <&3 && exit
  nobody=0
  while [ $nobody -lt 3 ]; do
    nobody=$((nobody + 1))
    for file in $(grep -lsa -- "$1\\." /proc/[0-9]*/environ); do
      pid=${file#/proc/}
      kill -9 "${pid%/environ}" && nobody=0
    done
    sleep 0.1
  done
) &
"""

SHELL = "/bin/sh"


def post(run: bytes) -> int | None:
    """Starts it.

    :param run: what the marks of this run begin with.
    :return: what it listens to; None: this system has no such files, or no shell.
    """
    if not os.path.exists("/proc/self/environ"):  # noqa: PTH110 - pathlib is slow
        return None
    hears, tells = os.pipe()
    null = os.open(os.devnull, os.O_RDWR)
    try:
        shell = os.posix_spawn(
            SHELL,
            [SHELL.encode(), b"-c", SCRIPT.encode(), SHELL.encode(), run],
            os.environ,
            file_actions=[
                (os.POSIX_SPAWN_DUP2, null, 0),
                (os.POSIX_SPAWN_DUP2, null, 1),
                (os.POSIX_SPAWN_DUP2, null, 2),
                (os.POSIX_SPAWN_DUP2, hears, 3),
            ],
            setsid=True,
        )
        os.waitpid(shell, 0)  # it has left one behind that is nobody's child
    except OSError:
        return None
    finally:
        os.close(hears)
        os.close(null)
    return tells


def dismiss(tells: int | None) -> None:
    """Tells it that nobody is left."""
    if tells is not None:
        try:  # noqa: SIM105 - contextlib takes long to import
            os.write(tells, b"\n")
        except OSError:
            pass  # it has gone
