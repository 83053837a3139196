"""What Lua offers to Python: one typed method for each function of ``lua/swarm/doors/python.lua``.

Nobody else calls a function of the VM by its name, takes its values by position or reads its JSON.
What comes as several values is a named tuple (vm/steps.py).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from swarm_host.outcome import Outcome
from swarm_host.vm.asked import Asked
from swarm_host.vm.given import never_raises, passed, to_json
from swarm_host.vm.luajit import open_to_c_modules
from swarm_host.vm.steps import Request, Said, Step


def _unwanted(*_: object) -> None:
    """Where there is no journal, or no audit."""


class Kernel(Asked):
    """The Lua side of one run, in a VM of its own."""

    # The run. --------------------------------------------------------------------------------

    def boot(
        self,
        config: dict[str, Any],
        flush: Callable[[bytes, bytes], None],
        end: Callable[[float, bytes], None],
        keep: Callable[..., None] = _unwanted,
        find: Callable[[int, int, bytes, bytes, bytes], bytes | None] = _unwanted,
        note: Callable[[bytes, bytes], None] = _unwanted,
    ) -> None:
        """Begins.

        :param config: what the run is given (:meth:`swarm_host.options.Options.for_lua`).
        :param flush: takes what a flood has said within a step: out, and log entries.
        :param end: ends the process for a trusted script: its status, and events not yet taken.
        :param keep: takes what a flood leaves for the journal within a step
            (:meth:`take_journal`).
        :param find: what the journal has of a task: the numbers of the one that spawns it
            and of the nearest above with a name, its name, key and input.
        :param note: takes what a flood leaves for the audit within a step (:meth:`take_audit`).
        :raises SwarmError: ``invalid_value``: JSON cannot say the input.
        """
        try:
            text = json.dumps(config, allow_nan=False)
        except (TypeError, ValueError, RecursionError):
            to_json(config.get("input"), "input")  # nothing else of it is of any kind
            raise
        if config.get("trust"):
            open_to_c_modules()
        calls = [never_raises(call) for call in (flush, end, keep, find, note)]
        self._give("boot", text.encode(), *calls)

    def turn_address(self) -> int:
        """Where :func:`swarm_host.vm.turn.read_turn` reads whose turn it is."""
        if self._turn_address is None:
            self._turn_address = int(self._ask("turn_address"))
        return self._turn_address

    def step(self, slice_seconds: float) -> Step:
        """Lets workers run for so long."""
        return Step(*self._ask("step", slice_seconds))

    def take_said(self) -> Said:
        """What was said since the last call."""
        return Said(*self._ask("take_said"))

    def take_journal(self) -> tuple[bytes, ...]:
        """Rows for the journal since the last call, as :class:`swarm_host.journal.writer.Writer`
        has them."""
        rows: tuple[bytes, ...] = self._ask("take_journal")
        return rows

    def take_audit(self) -> tuple[bytes, bytes]:
        """Rows since the last call for :meth:`swarm_host.audit.audits.Audits.keep`."""
        rows: tuple[bytes, bytes] = self._ask("take_audit")
        return rows

    def dispose(self) -> bool:
        """The run is over: begins what scripts want done then. Whether there is any."""
        return bool(self._ask("dispose"))

    def idle(self) -> bool:
        """Whether nobody is alive but who loads the script anew."""
        return bool(self._ask("idle"))

    def finishing(self, main: int | None) -> bool | None:
        """Ends the run once main has settled; None: there is none whose end it is.

        :return: whether it is over. None: somebody was cancelled, and a step is due.
        """
        over: bool | None = self._ask("finishing", main)
        return over

    def run_error(self) -> dict[str, Any] | None:
        """What fails the run whatever main made of it."""
        error: dict[str, Any] | None = self._ask_json("run_error")
        return error

    def summary(self) -> dict[str, Any]:
        """What there is to tell of the run's tasks, main aside (``lua/swarm/events/tally.lua``)."""
        summary: dict[str, Any] = self._ask_json("summary")
        return summary

    def picture(self, rows: int) -> list[dict[str, Any]]:
        """So many rows of the run's tree, those above before those below them
        (``lua/swarm/doors/picture.lua``)."""
        listed: list[dict[str, Any]] = self._ask_json("picture", rows)
        return listed

    def overview(self, rows: int) -> list[dict[str, Any]]:
        """:meth:`picture` for who may ask for the tasks in it later, when they have ended."""
        listed: list[dict[str, Any]] = self._ask_json("overview", rows)
        return listed

    def pending(self, most: int) -> list[dict[str, Any]]:
        """The open questions, the oldest first, so many at most."""
        listed: list[dict[str, Any]] = self._ask_json("pending", most)
        return listed

    def answered(self, key: str) -> dict[str, Any] | None:
        """How a question was answered; None: nobody has, or long since."""
        answer: dict[str, Any] | None = self._ask_json("answered", key.encode())
        return answer

    def wait_for_answers(self, waits: bool) -> None:
        """Whether a run that only answers can move waits for them; else it ends."""
        self._ask("wait_for_answers", waits)

    def cancel_all(self, reason: str) -> None:
        """Cancels every live worker."""
        self._ask("cancel_all", reason.encode())

    def waiting(self) -> list[dict[str, Any]]:
        """Who waits: ``name``, ``label``, ``task_id``, ``waits_for``, ``where`` of the first live
        workers."""
        waiting: list[dict[str, Any]] = self._ask_json("waiting")
        return waiting

    def lingering(self) -> dict[str, Any] | None:
        """Who is waited for where main is done and the run is not: ``why`` (``done``, or how main
        has ended), how ``many`` they are, and the first ``workers`` as :meth:`waiting` has them."""
        lingering: dict[str, Any] | None = self._ask_json("lingering")
        return lingering

    def counts(self) -> dict[str, int]:
        """How many workers are live and running, and how many have ended in each way since ``main``
        last began; those that load a script are not among them."""
        names = ("live", "running", "pass", "blocked", "failed", "cancelled", "timeout")
        return dict(zip(names, map(int, self._ask("counts")), strict=True))

    def verbs(self) -> dict[str, Any]:
        """The verbs, and the roles that have each."""
        verbs: dict[str, Any] = self._ask_json("verbs")
        return verbs

    # The script and its generations. ---------------------------------------------------------

    def load(self, path: bytes, folder: bytes) -> int:
        """Starts loading the script. Returns the worker that does.

        :param folder: the script's, with its slash.
        """
        return int(self._ask("load", path, folder))

    def reload(self, dry_run: bool, fresh: bool) -> int:
        """Starts loading the script anew. Returns the worker that does; its value says what has
        changed, or would.

        :param fresh: take over even where no definition has changed.
        """
        return int(self._ask("reload", dry_run, fresh))

    def watched(self) -> dict[str, list[str]]:
        """What to watch: ``files`` that were read, ``folders`` that were listed, and ``missing``:
        files that were looked for and are not there. Paths as the script wrote them."""
        watched: dict[str, list[str]] = self._ask_json("watched")
        return watched

    def generations(self) -> list[dict[str, Any]]:
        """The generations that are alive: ``number``, ``newest``, ``workers``, ``besides_main`` and
        ``names``."""
        generations: list[dict[str, Any]] = self._ask_json("generations")
        return generations

    def cancel_generations_before(self, number: int, reason: str) -> None:
        """Cancels what is alive of older generations, save for main."""
        self._ask("cancel_generations_before", number, reason.encode())

    def describe(self) -> dict[str, Any]:
        """What the newest generation defines: ``workers`` by name, and where ``main`` is."""
        described: dict[str, Any] = self._ask_json("describe")
        return described

    def checked(self) -> dict[str, Any]:
        """What was loaded last, well or not, has to do with (``lua/swarm/doors/checking.lua``):
        ``globals``, ``faces``, ``faults``, whether they ended the loading (``gathered``), hooks
        that match nothing (``idle``), ``roles``, ``pools``, and what is ``built_in``."""
        checked: dict[str, Any] = self._ask_json("checked")
        return checked

    def specs(self) -> list[dict[str, Any]]:
        """The specs of a spec file: ``name``, ``where``, ``pending``, the lines ``first`` and
        ``last``; and ``groups``, from the outside in, with ``name`` and lines."""
        specs: list[dict[str, Any]] = self._ask_json("specs")
        return specs

    # Texts, without a run. -------------------------------------------------------------------

    def syntax_error(self, text: bytes, path: str) -> str | None:
        """What LuaJIT has against a text, or None; nothing of it runs."""
        problem: bytes | None = self._give("syntax_error", text, path.encode())
        return None if problem is None else problem.decode(errors="replace")

    def hint(self, name: str, known: Sequence[str], prefix: str) -> str:
        """What helps where a name does not exist, such as ``; did you mean swarm.spawn?``.

        :param known: the names that there are.
        :param prefix: what stands before them, such as ``swarm.``.
        """
        listed = json.dumps(list(known)).encode()
        hint: bytes = self._give("hint", name.encode(), listed, prefix.encode())
        return hint.decode(errors="replace")

    # Workers, each held by its number until it is released. ----------------------------------

    def spawn_main(self, timeout: float | None) -> int:
        """Spawns main.

        :raises SwarmError: there is none.
        """
        return int(self._ask("spawn_main", timeout))

    def spawn(self, name: str, value: Any, timeout: float | None) -> int:
        """Spawns a worker by name.

        :param value: its input; None: none.
        :raises SwarmError: ``not_registered`` and the like, ``invalid_value``.
        """
        text = None if value is None else to_json(value, "input")
        return int(self._give("spawn", name.encode(), text, timeout))

    def listens_at(self, path: bytes | None) -> None:
        """Says where the run listens: programs of workers with a token get to know it."""
        self._ask("listens_at", path)

    def visit(self, method: str, params: dict[str, Any], person: bool) -> int:
        """Begins to serve a request (``lua/swarm/doors/visits.lua``). Returns the worker that
        does."""
        request = {"method": method, "params": params, "person": person}
        return int(self._give("visit", to_json(request, "request")))

    def spawn_spec(self, name: str) -> int:
        """Spawns the worker of one spec."""
        return int(self._ask("spawn_spec", name.encode()))

    def status(self, worker: int) -> str:
        """A worker's status now."""
        status: bytes = self._ask("status", worker)
        return status.decode()

    def outcome(self, worker: int) -> Outcome:
        """How a worker that has settled ended."""
        status, is_text, value, error = self._ask("outcome", worker)
        data: Any = value
        if value is not None:
            data = value.decode(errors="surrogateescape") if is_text else json.loads(value)
        return Outcome(status.decode(), data, None if error is None else json.loads(error))

    def tail(self, worker: int, since: int) -> list[dict[str, Any]]:
        """A worker's events with a ``seq`` above ``since``."""
        events: list[dict[str, Any]] = self._ask_json("tail", worker, since)
        return events

    def cancel(self, worker: int, reason: str) -> bool:
        """Asks a worker to end. Whether it was live."""
        return bool(self._ask("cancel", worker, reason.encode()))

    def release(self, worker: int) -> bool:
        """Python no longer asks for a worker: Lua may free it. Whether there is something to say of
        that: a failure that nobody has asked for."""
        return bool(self._ask("release", worker))

    def take_settled(self) -> tuple[int, ...]:
        """The workers that have settled since the last call."""
        return _numbers(self._ask("take_settled"))

    # Requests to ports. ----------------------------------------------------------------------

    def take_request(self) -> Request | None:
        """The next request, if there is one."""
        taken = self._ask("take_request")
        if taken is None:
            return None
        number, port, payload, data, task, last = taken
        known = None if task is None else int(task)
        return Request(int(number), port.decode(), json.loads(payload), data, known, last)

    def take_cancels(self) -> tuple[int, ...]:
        """The requests that are cancelled since the last call."""
        return _numbers(self._ask("take_cancels"))

    def take_told(self) -> tuple[int, Any, bytes | None] | None:
        """The next thing that a worker tells the port of a request: the request, what JSON can say,
        and bytes."""
        taken = self._ask("take_told")
        if taken is None:
            return None
        number, message, data = taken
        return int(number), json.loads(message), data

    def take_read(self) -> tuple[int, ...]:
        """The requests all of whose events have been read since the last call."""
        return _numbers(self._ask("take_read"))

    def emit(self, request: int, event: bytes, data: bytes | None) -> None:
        """Hands an event of a port to who asked.

        :param event: JSON; like answers it is made into text where it comes from, so that what JSON
            cannot say is a fault there.
        """
        self._give("emit", request, event, data)

    def deliver(
        self, request: int, ok: bool, answer: bytes | None, data: Sequence[bytes | bytearray]
    ) -> None:
        """Answers a request.

        :param ok: it went well; else the answer is an error.
        :param answer: JSON.
        :param data: what comes beside it.
        """
        given: list[object] = []
        for part in data:
            given += passed(part)
        self._give("deliver", request, ok, answer, *given)


def _numbers(values: Any) -> tuple[int, ...]:
    if values is None:
        return ()
    return values if isinstance(values, tuple) else (values,)
