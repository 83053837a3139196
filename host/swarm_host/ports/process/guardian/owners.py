"""Whose each process is that came to be our child."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import os
import time

from swarm_host.ports.process.guardian import family
from swarm_host.ports.process.guardian.family import Stat

MARK = b"SWARM_MARK="

POLL_SECONDS = 0.001
GONE_SECONDS = 0.5
"""How often who was killed is looked at, and for how long, where nobody tells of an end."""

EXEC_SECONDS = 0.0005
EXEC_LOOKS = 40
EMPTY_LOOKS = 5
"""How often, and how many times, a process is looked at that has no environment yet, and one whose
environment is empty."""


class Attempt:
    """One start, and all that came of it.

    :ivar control: the descriptor on which its host speaks and listens.
    :ivar heard: the starter listens to it.
    :ivar files: the descriptors that it is to have as its standard streams.
    :ivar unread: what was heard and is not whole yet.
    :ivar number: its number within the run, which is in its mark.
    :ivar pid: its first process, whose id is that of its first session and group too; 0: not yet.
    :ivar roots: those of our children that belong to it; a negative one is a group.
    :ivar sessions: the sessions that are known to be its.
    :ivar status: how its first process ended, as the system says it.
    :ivar deadline: when who is left is killed, once it is to end.
    :ivar killing: whoever is found is killed at once.
    :ivar told: the host knows of its status.
    """

    def __init__(self, control: int, files: list[int]) -> None:
        self.control = control
        self.files = files
        self.heard = True
        self.unread = b""
        self.number = 0
        self.pid = 0
        self.roots: set[int] = set()
        self.sessions: set[int] = set()
        self.status: int | None = None
        self.deadline: float | None = None
        self.killing = False
        self.told = False


class Owners:
    """Knows whose our children are: those that were started, and those that lost their parent.

    It is said by the session or group, else by whom a process was seen below, else by the mark in
    its environment. Who has none of them belongs to the run, and ends with it.

    :param run: what the marks of this run begin with.
    :param adopts: who loses its parent becomes our child; else there are only groups.
    """

    def __init__(self, run: bytes, adopts: bool) -> None:
        self._run = run
        self._adopts = adopts
        self._own = family.Own() if adopts else None
        self._of_child: dict[int, Attempt | None] = {}
        self._of_session: dict[int, Attempt] = {}
        self._of_number: dict[int, Attempt] = {}
        self._of_seen: dict[int, tuple[bytes, Attempt]] = {}  # beside when the process began
        self._killing: set[Attempt] = set()

    def begin(self, attempt: Attempt, number: int, pid: int) -> None:
        """A process was started."""
        attempt.number, attempt.pid = number, pid
        attempt.roots.add(pid)
        attempt.sessions.add(pid)
        self._of_child[pid] = self._of_session[pid] = self._of_number[number] = attempt

    def forget(self, attempt: Attempt) -> None:
        """Nothing is left of an attempt."""
        self._killing.discard(attempt)
        del self._of_number[attempt.number]
        for session in attempt.sessions:
            if self._of_session.get(session) is attempt:  # else the number was given out anew
                del self._of_session[session]
        if self._of_seen:
            seen = self._of_seen.items()
            self._of_seen = {pid: one for pid, one in seen if one[1] is not attempt}

    def reap(self) -> set[Attempt]:
        """Takes those of our children that have ended.

        :return: the attempts that have fewer roots now, or have come to the end of their first
            process.
        """
        changed = set[Attempt]()
        self._take_ended(changed)
        while self.look():
            self._take_ended(changed)  # who became ours may have ended, and left others
        return changed

    def _take_ended(self, changed: set[Attempt]) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            attempt = self._of_child.pop(pid, None)
            if attempt is not None:
                changed.add(attempt)
                attempt.roots.discard(pid)
                if pid == attempt.pid:
                    attempt.status = status
                    if not self._adopts and family.may_signal(-pid):
                        attempt.roots.add(-pid)  # nobody tells of it

    def look(self) -> bool:
        """Finds out who has become ours, and says whether there is anybody."""
        if self._own is None:
            return False
        new = [pid for pid in self._own.now() if pid not in self._of_child]
        if self._killing:
            # Who forks and ends as fast as it can is never caught while one asks whose it is.
            family.signal(new, _signal.SIGSTOP)
        for pid in new:
            self._adopt(pid)
        return bool(new)

    def look_at_group(self, attempt: Attempt) -> None:
        """The same where there are only groups."""
        if not self._adopts and not family.may_signal(-attempt.pid):
            attempt.roots.discard(-attempt.pid)

    def send(self, attempt: Attempt, *numbers: int) -> None:
        """Sends signals to all that belongs to an attempt, once to each."""
        groups = set()
        for root in attempt.roots:
            if not self._adopts:
                groups.add(abs(root))
                continue
            groups |= self._see(root, attempt)
        family.send(groups, *numbers)

    def _see(self, root: int, attempt: Attempt) -> set[int]:
        """Remembers a process and its descendants as an attempt's, and returns their groups."""
        groups = set()
        for one in family.of(root):
            groups.add(one.group)
            self._keep(one, attempt)
            self._of_seen[one.pid] = one.begun, attempt
        return groups

    def _kill(self, root: int, attempt: Attempt) -> None:
        self._see(root, attempt)  # one that is about to end has no mark any more
        family.kill(root)

    def kill(self, attempt: Attempt) -> None:
        """SIGKILL to all that belongs to an attempt, now and whenever more is found."""
        attempt.killing = True
        self._killing.add(attempt)
        if not self._adopts:
            self.send(attempt, _signal.SIGKILL)
            return
        for root in attempt.roots:
            self._kill(root, attempt)
        for root in attempt.roots - {attempt.pid}:
            if not family.may_signal(root):  # it runs as somebody else: nobody waits for it
                attempt.roots.discard(root)
                self._of_child[root] = None

    def kill_all(self) -> None:
        """SIGKILL to everybody."""
        if self._adopts:
            family.kill_all()
            return
        family.send(self._of_session, _signal.SIGKILL)
        end = time.monotonic() + GONE_SECONDS
        while time.monotonic() < end and any(family.may_signal(-one) for one in self._of_session):
            self._take_ended(set())
            time.sleep(POLL_SECONDS)

    def _adopt(self, pid: int) -> None:
        try:
            one = Stat(pid)
        except OSError:
            return
        owner = self._of_session.get(one.session) or self._of_session.get(one.group)
        if owner is None and pid in self._of_seen:
            begun, attempt = self._of_seen[pid]
            owner = attempt if begun == one.begun else None
        number = 0
        if owner is None:
            number = self._marked(pid)
            owner = self._of_number.get(number)
        self._of_child[pid] = owner
        if owner is not None:
            owner.roots.add(pid)
            self._keep(one, owner)
        # Where there is a number and no owner its attempt has come to its end.
        if owner is not None and owner.killing:
            self._kill(pid, owner)
        elif owner is None and number:
            family.kill(pid)
        elif self._killing:
            family.signal([pid], _signal.SIGCONT)

    def _keep(self, one: Stat, attempt: Attempt) -> None:
        """From now on the session of a process is known as an attempt's."""
        if self._of_session.setdefault(one.session, attempt) is attempt:
            attempt.sessions.add(one.session)

    def _marked(self, pid: int) -> int:
        """The number in the mark of a process; 0: it has no mark of this run."""
        for variable in _variables(pid):
            if variable.startswith(MARK):
                for mark in variable[len(MARK) :].split(b" "):
                    run, _, number = mark.partition(b".")
                    if run == self._run and number.isdigit():
                        return int(number)
        return 0


def _variables(pid: int) -> list[bytes]:
    """The environment of a process. One that is about to run another program has none for an
    instant, also where it was opened before and is read behind that: it is asked again."""
    looks = EXEC_LOOKS
    while looks > 0:
        try:
            with open(f"/proc/{pid}/environ", "rb", 0) as file:  # noqa: PTH123
                variables = file.read()
            if variables:
                return variables.split(b"\0")
            one = Stat(pid)
        except OSError:
            break
        if one.is_zombie:
            break
        # Where it is as long as nothing it may be written just now, and may be empty for good.
        looks -= EXEC_LOOKS // EMPTY_LOOKS if one.has_no_variables else 1
        time.sleep(EXEC_SECONDS)
    return []
