"""What is run: ``python -I -S main.py SOCKET RUN``.

It is two processes, the *starter* and above it the *warden*, and each gets who loses its parent
below it (a subreaper). The starter starts and ends. The warden only waits: for the end of the host
or of the starter, and then kills what is left. The starter does the same at the end of the warden.
Where both end at one instant, as ``pkill -9 python`` does it, a shell beside them (``sentinel.py``)
kills who bears the mark of the run.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found] # the module signal takes longer than all the rest
import _socket
import os
import select
import sys

PACKAGE = "swarm_host.ports.process.guardian"

SURVIVED = (_signal.SIGHUP, _signal.SIGINT, _signal.SIGQUIT, _signal.SIGTERM)

STARTER_MILLISECONDS = 5000
"""How long the starter may take to kill all."""

POLLRDHUP = 0x2000
"""The other end of a socket is closed, whether or not something is left to read."""


def find_package() -> None:
    """Makes the files beside this one importable, and nothing of the host: its packages are empty
    here, and none of what they import is."""
    folder = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120 - pathlib is slow
    parts = PACKAGE.split(".")
    for count in range(1, len(parts) + 1):
        package = type(sys)(".".join(parts[:count]))
        package.__path__ = [folder] if count == len(parts) else []
        sys.modules[package.__name__] = package


def nothing(_number: int, _frame: object) -> None:
    """A handler, for what is not to end us: what is ignored would be ignored by children too."""


def watch(host: int, starter: int, alive: int) -> None:
    """The warden: waits until the host has ended, or the starter.

    :param host: the socket to the host.
    :param starter: the starter's process id.
    :param alive: a descriptor that tells of the starter's end.
    """
    poll = select.poll()
    poll.register(host, POLLRDHUP)
    poll.register(alive, 0)  # its hang-up is told of unasked
    poll.poll()
    # At the host's end the starter kills all by itself, and we if it does not come to that: were it
    # killed first, nobody would be there where we are killed in the next instant.
    poll.unregister(host)
    poll.poll(STARTER_MILLISECONDS)
    os.kill(starter, _signal.SIGKILL)


def main() -> None:
    find_package()
    from swarm_host.ports.process.guardian import family, sentinel
    from swarm_host.ports.process.guardian.starter import Starter

    host, run = _socket.socket(fileno=int(sys.argv[1])), sys.argv[2].encode()
    os.set_inheritable(host.fileno(), False)
    for number in SURVIVED:
        if _signal.getsignal(number) != _signal.SIG_IGN:
            _signal.signal(number, nothing)
    os.chdir("/")
    done = sentinel.post(run)  # before there is a subreaper, or it would be one of our own
    adopts = family.become_subreaper()
    if not adopts:
        host.send(b"-")
    below, above = os.pipe(), os.pipe()  # each holds an end of both, and so hears of the other's
    starter = os.fork() if adopts else 0
    if starter:
        os.close(below[1])
        os.close(above[0])
        watch(host.fileno(), starter, below[0])
        family.kill_all()
        sentinel.dismiss(done)
        os._exit(0)
    if adopts:
        family.become_subreaper()
        os.close(below[0])
        os.close(above[1])
    host.setblocking(False)
    work = Starter(host, run, above[0], adopts)
    work.until_the_end()
    work.kill_all()
    sentinel.dismiss(done)
    os._exit(0)


if __name__ == "__main__":
    main()
