"""What a host tells of its run, and changes nothing."""

from __future__ import annotations

from typing import Any

from swarm_host.pump import Pump
from swarm_host.vm.kernel import Kernel


class Told:
    """A run that can be looked at.

    :ivar kernel: the Lua side, for who asks more than the verbs here.
    """

    kernel: Kernel
    _pump: Pump

    def describe(self) -> dict[str, Any]:
        """What the newest generation defines: ``workers`` by name, and where ``main`` is."""
        return self.kernel.describe()

    def checked(self) -> dict[str, Any]:
        """What was loaded last, well or not, has to do with
        (:meth:`swarm_host.vm.kernel.Kernel.checked`), with ``Options.checked``."""
        return self.kernel.checked()

    def specs(self) -> list[dict[str, Any]]:
        """The specs of a spec file (:meth:`swarm_host.vm.kernel.Kernel.specs`)."""
        return self.kernel.specs()

    def waiting(self) -> list[dict[str, Any]]:
        """Who waits: ``name``, ``label``, ``task_id``, ``waits_for``, ``where`` of the first live
        workers."""
        return self.kernel.waiting()

    def lingering(self) -> dict[str, Any] | None:
        """Who is waited for where main is done and the run is not
        (:meth:`swarm_host.vm.kernel.Kernel.lingering`)."""
        return self.kernel.lingering()

    def summary(self) -> dict[str, Any]:
        """What there is to tell of the run's tasks beside ``main``: ``failed``, ``blocked`` and
        ``retried``, each with how ``many`` there are and the first 20 ``tasks`` (``name``,
        ``label``, ``task_id``, and ``reason``, ``status``, ``attempts`` where they have them);
        ``slowest``, a list of those that took longest, with their ``seconds``; what was
        ``used``: sums of ``tokens``, ``input``, ``output``, ``cached``, and ``cost`` in USD;
        ``worktrees`` that stay, how ``many`` and the first ``trees`` (with ``path``, ``branch`` and
        what each ``holds``); and who was alive as the run's time was over, ``late``: how many were
        ``live``, and ``rows`` as :meth:`picture` has them; not there where it was not over."""
        return self.kernel.summary()

    def picture(self, rows: int) -> list[dict[str, Any]]:
        """So many rows of the tree of live workers, for who watches the run
        (:meth:`swarm_host.vm.kernel.Kernel.picture`); ``Options.watched`` has more in it."""
        return self.kernel.picture(rows)

    def counts(self) -> dict[str, int]:
        """How many workers are live and running, and how many have ended in each way since ``main``
        last began; those that load a script are not among them."""
        return self.kernel.counts()

    def last_said(self, request: int | None) -> bytes:
        """What the program that serves a request of a worker's has written to its standard error
        last, as far as it came at once (a row of :meth:`picture` has its ``request``)."""
        return b"" if request is None else self._pump.last_said(request)
