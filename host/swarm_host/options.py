"""What a host is given for a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from swarm_host.ports.contract import Port

if TYPE_CHECKING:
    from swarm_host.audit.audit import Audit
    from swarm_host.journal.recorder import Recorder

GIVEN = ("args", "input", "trust", "lua_path", "blocked", "cancel_grace", "budget")
"""What holds again where a run is resumed."""


@dataclass(slots=True)
class Options:
    """What a run is given.

    :ivar args: the strings after the script's name.
    :ivar input: what ``ctx.input`` of ``main`` is: anything that JSON can say.
    :ivar trust: full Lua instead of the guarded environment.
    :ivar lua_path: further folders, or templates with ``?``, where ``require`` looks.
    :ivar debug: tracebacks show the host's frames too.
    :ivar virtual_clock: time stands still and jumps to the next timer when all wait.
    :ivar spec: scripts are spec files: they get ``describe``, ``it``, ``assert``, ``clock``,
        ``mock`` and ``swarm.script``.
    :ivar checked: nothing is to run: all that is wrong with definitions is gathered.
    :ivar helper: a module that each spec file finds loaded; "": none.
    :ivar seed: what random numbers come from, 0 to 2^53; None: from the system.
    :ivar closed_world: nobody outside spawns or cancels, so that silence is a deadlock.
    :ivar on_ask: what becomes of a run that only answers to questions can move, where nobody
        outside can give them while it waits (``closed_world``): ``exit``: it ends, with the error
        ``unanswered``, and can be resumed; ``wait``: it waits.
    :ivar cancel_grace: seconds that a worker may go on after its cancel, by catching what that
        raises, until it is abandoned.
    :ivar blocked: ``fail``: a run in which tasks ended blocked has failed.
    :ivar operator_kind: the kind of operator over the run's workers, which goes before what
        definitions and the script say; None: as those say.
    :ivar budget: how much the run may use: ``cost`` (USD), ``tokens``, ``seconds``.
    :ivar eager: what scripts say is handed over at once, not once a tick: for a terminal, where
        the last words before an endless loop matter.
    :ivar write_out: takes what scripts print.
    :ivar write_log: takes one log entry: ``level``, ``message``, ``at`` (Unix seconds), ``fields``,
        ``task_id``, ``name`` and ``label``. None: they go to Python's ``logging``, logger
        ``swarm_host``, and each record has its entry as ``swarm``.
    :ivar write_events: takes events of the run as JSON lines; None: none are made.
    :ivar write_output: takes what the programs of workers write, as it comes: the number of the
        task (7 for ``T-7``), ``out`` or ``err``, and bytes; None: nobody wants it.
    :ivar events_shown: events of the run, in short, are among what ``write_log`` takes, with
        ``event`` as their ``level``.
    :ivar names_prints: what workers other than ``main`` print, is too, with ``print``.
    :ivar copies_prints: what any worker prints is too; ``copied`` says that it goes to
        ``write_out`` as well.
    :ivar watched: somebody looks at :meth:`swarm_host.host.Host.picture`: beginnings and ends are
        noted for it.
    :ivar before_exit: called before ``os.exit`` of a trusted script ends the process.
    :ivar token_keys: keys of tokens, the newest first
        (:func:`swarm_host.tokens.keys.find_keys`); none: a random one.
    :ivar reuse: results of workers that ran Lua alone are used again, in other runs too.
    :ivar journal: where what becomes of the run's tasks is kept; None: nowhere.
    :ivar audit: where it is told who did what, and no script can take that away; None: nowhere. A
        run whose audit cannot be written ends.
    :ivar ports: ports that go before those of installed packages.
    """

    args: Sequence[str] = ()
    input: Any = None
    trust: bool = False
    lua_path: Sequence[str] = ()
    debug: bool = False
    virtual_clock: bool = False
    spec: bool = False
    checked: bool = False
    helper: str = ""
    seed: int | None = None
    closed_world: bool = False
    on_ask: Literal["exit", "wait"] = "exit"
    cancel_grace: float = 10
    blocked: Literal["warn", "fail"] = "warn"
    operator_kind: Literal["main_ai", "automate", "composite"] | None = None
    budget: Mapping[str, float] = field(default_factory=dict)
    eager: bool = False
    write_out: Callable[[bytes], None] | None = None
    write_log: Callable[[dict[str, Any]], None] | None = None
    write_events: Callable[[bytes], None] | None = None
    write_output: Callable[[int, str, bytes], None] | None = None
    events_shown: bool = False
    names_prints: bool = False
    copies_prints: bool = False
    watched: bool = False
    before_exit: Callable[[], object] | None = None
    token_keys: Sequence[bytes] = field(default=(), repr=False)
    reuse: bool = False
    journal: Recorder | None = None
    audit: Audit | None = None
    ports: dict[str, Port] = field(default_factory=dict)

    def given(self) -> dict[str, Any]:
        """What of it holds again where the run is resumed."""
        return {name: getattr(self, name) for name in GIVEN}

    def for_lua(self, run_id: str, version: str, ports: Sequence[str]) -> dict[str, Any]:
        """What Lua is told of it, as :meth:`swarm_host.vm.kernel.Kernel.boot` takes it.

        :param ports: the names of all ports, for specs that mock them.
        """
        config = {
            "args": list(self.args),
            "run_id": run_id,
            "version": version,
            "trust": self.trust,
            "lua_path": list(self.lua_path),
            "virtual": self.virtual_clock,
            "debug": self.debug,
            "spec": self.spec,
            "checked": self.checked,
            "events": self.write_events is not None,
            "watched": self.watched,
            "events_shown": self.events_shown,
            "names_prints": self.names_prints,
            "copies_prints": self.copies_prints,
            "closed_world": self.closed_world,
            "waits_for_answers": self.on_ask == "wait",
            "cancel_grace": self.cancel_grace,
            "blocked_fails": self.blocked == "fail",
            "eager": self.eager,
            "reuse": self.reuse,
            "audit": self.audit is not None,
        }
        if self.journal is not None:
            config |= self.journal.for_lua()
        if self.input is not None:
            config["input"] = self.input
        if self.operator_kind is not None:
            config["operator_kind"] = self.operator_kind
        if self.budget:
            config["budget"] = dict(self.budget)
        if self.seed is not None:
            config["seed"] = self.seed
        if self.helper:
            config["helper"] = self.helper
        if self.spec:
            config["ports"] = list(ports)
        return config
