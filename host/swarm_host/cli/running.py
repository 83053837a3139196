"""One run from the command line: the main thread keeps the signals, loop and VM have their own."""

from __future__ import annotations

import json
import sys
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from swarm_host.cli.watchdog import Watchdog
from swarm_host.cli.wish import RunWish
from swarm_host.errors import LoadError, WorkerCancelled
from swarm_host.host import Host
from swarm_host.options import Options
from swarm_host.outcome import Outcome
from swarm_host.threads.loop import LoopThread
from swarm_host.view.screen import Screen

if TYPE_CHECKING:
    from swarm_host.cli.reloading import WatchedRun

_EXIT = {"pass": 0, "failed": 1, "blocked": 3, "timeout": 124, "cancelled": 1}
_LOAD_ERROR = 2


class Running:
    """Runs one script and says how it went.

    :param wish: what is asked for.
    :param check_only: load, and say what is defined.
    """

    def __init__(self, wish: RunWish, *, check_only: bool = False) -> None:
        self._wish = wish
        self._check_only = check_only
        reload = wish.reload
        if Path(wish.script).exists() and not Path(wish.script).is_file():
            reload = None  # what comes through a pipe can be read once
        self._stays = reload is not None and reload.watch
        self._screen = Screen(quiet=wish.quiet, debug=wish.debug, prints_to_stderr=wish.as_json)
        self._options = Options(
            args=wish.args,
            input=wish.input,
            trust=wish.trust,
            lua_path=wish.lua_path,
            debug=wish.debug,
            closed_world=reload is None or not reload.wakes_main,
            cancel_grace=wish.cancel_grace,
            eager=sys.stdout.isatty() or sys.stderr.isatty(),
            write_out=self._write_out,
            write_log=self._screen.log,
        )
        self._watched: WatchedRun | None = None
        on_hangup = None
        if reload is not None:
            from swarm_host.cli.reloading import WatchedRun, has_terminal

            self._watched = WatchedRun(self._screen, reload, wish.timeout, self._tell)
            on_hangup = None if has_terminal() else self._watched.hang_up
        self._thread = LoopThread("lua", self._main)
        self._watchdog = Watchdog(self._screen, self._thread, self._cancel, on_hangup)
        self._host: Host | None = None
        self._exit = 1

    def run(self, events: BinaryIO | None = None) -> int:
        """Runs the script in a second thread, and returns the exit status.

        :param events: where events of the run are written as JSON lines.
        """
        if events is not None:
            file = events

            def write_events(lines: bytes) -> None:
                file.write(lines)
                file.flush()  # the process may be ended at once

            self._options.write_events = write_events
        self._watchdog.watch()
        if self._thread.problem is not None:
            self._fault(self._thread.problem)
        received = self._watchdog.received
        if received is None:
            return self._exit
        self._screen.note(f"cancelled by {received.name}")
        return 128 + received

    def _fault(self, problem: BaseException) -> None:
        """A fault of ours: one line, and the Python traceback with --debug."""
        self._screen.clear()
        print(
            f"internal error: {type(problem).__name__}: {problem}\n"
            "This is a fault of swarm-host, not of the script; run again with --debug for details.",
            file=sys.stderr,
        )
        if self._wish.debug:
            import traceback

            traceback.print_exception(problem)
        self._exit = 1

    async def _main(self) -> None:
        host = self._host = Host(self._options)
        self._watchdog.attach(host.turn_address)
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(host.pumping())
            if self._watchdog.received:
                return
            began, problem = 0, None
            if self._watched is not None:
                from swarm_host.reload.marks import moment

                began = moment()
            try:
                await host.load_script(self._wish.script)
            except LoadError as raised:
                problem = raised
                self._tell_error(problem.error, with_source=True)
                self._exit = _LOAD_ERROR
                if not self._stays:
                    return
                self._screen.progress_note("waiting for a change (Ctrl-C ends)")
            except WorkerCancelled:
                return
            if self._check_only:
                self._tell_definitions(host.describe())
                return
            await stack.enter_async_context(self._screen.progress(host.counts))
            if self._watchdog.received:
                return  # it came between loading and main, when there was nobody to cancel
            once = partial(self._run_once, host)
            if self._watched is None:
                await once()
            else:
                await self._watched.run(host, self._wish.script, began, problem, once)

    async def _run_once(self, host: Host) -> None:
        try:
            outcome = await host.run(self._wish.timeout)
        except LoadError as problem:
            self._tell_error(problem.error)
            self._exit = _LOAD_ERROR
            return
        self._screen.clear()
        self._tell(outcome)

    def _cancel(self, reason: str) -> None:
        """Cancels all that is alive, and with it the run."""
        if self._host is not None:
            self._host.cancel_all(reason)
        if self._watched is not None:
            self._watched.end()

    def _write_out(self, out: bytes) -> None:
        """What scripts print. Where nobody reads any more the run is cancelled."""
        if not self._screen.write_out(out):
            self._cancel("standard output was closed")

    def _tell(self, outcome: Outcome) -> None:
        self._exit = _EXIT[outcome.status]
        if outcome.status in ("pass", "blocked") and (
            outcome.value is not None or self._wish.as_json
        ):
            self._print_result(outcome.value)
        if outcome.status == "blocked" and outcome.error is not None:
            self._screen.note(str(outcome.error["message"]))
        elif outcome.error is not None and not (
            outcome.status == "cancelled" and self._watchdog.received
        ):
            self._tell_error(outcome.error)

    def _print_result(self, value: Any) -> None:
        if isinstance(value, bytes):
            text = value
        elif isinstance(value, str) and not self._wish.as_json:
            text = value.encode()
        else:
            # As swarm.json.encode writes it.
            compact = (",", ":")
            text = json.dumps(
                value, ensure_ascii=False, sort_keys=True, separators=compact
            ).encode()
        self._screen.write_result(text if text.endswith(b"\n") else text + b"\n")

    def _tell_definitions(self, described: dict[str, Any]) -> None:
        self._exit = 0
        if self._wish.as_json:
            self._print_result(described)
            return
        workers = described.get("workers") or {}
        lines = [f"{self._wish.script}: ok"]
        for name in sorted(workers):
            worker = workers[name]
            about = f"  {worker['description']}" if worker.get("description") else ""
            lines.append(f"  worker {name} ({worker['kind']}) at {worker['where']}{about}")
        main = described.get("main")
        lines.append(f"  main at {main}" if main else "  no main: it can be loaded, but not run")
        self._print_result("\n".join(lines))

    def _tell_error(self, error: dict[str, Any], *, with_source: bool = False) -> None:
        from swarm_host.view.errors import render  # most runs need none

        self._screen.error(render(error, with_source=with_source))
