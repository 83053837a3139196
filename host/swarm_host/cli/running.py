"""One run from the command line: the main thread keeps the signals, loop and VM have their own.

Nothing in the main thread runs while Lua holds it, and signal handlers run in the main thread only:
so Lua must not be there.
"""

from __future__ import annotations

import asyncio
import json
import sys
import threading
from collections.abc import Sequence
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from swarm_host import loop
from swarm_host.cli.watchdog import Watchdog
from swarm_host.errors import LoadError, WorkerCancelled
from swarm_host.host import Host, Options, Outcome
from swarm_host.view.errors import render
from swarm_host.view.screen import Screen

if TYPE_CHECKING:
    from swarm_host.cli.reloading import Reloading, Reloads

_EXIT = {"pass": 0, "failed": 1, "blocked": 3, "timeout": 124, "cancelled": 1}
_LOAD_ERROR = 2


class Running:
    """Runs one script and says how it went.

    :param script: the script's path.
    :param args: the strings after it.
    :param value: what ``--input`` gave.
    :param timeout: seconds for everything, or None.
    :param as_json: stdout is the result alone.
    :param quiet: no progress, no logs below error.
    :param debug: debug logs, and the host's frames in errors.
    :param trust: full Lua.
    :param lua_path: further places for ``require``.
    :param check_only: load, and say what is defined.
    :param reloads: what happens when files change; None: nothing.
    """

    def __init__(
        self,
        script: str,
        *,
        args: Sequence[str] = (),
        value: Any = None,
        timeout: float | None = None,
        as_json: bool = False,
        quiet: bool = False,
        debug: bool = False,
        trust: bool = False,
        lua_path: Sequence[str] = (),
        check_only: bool = False,
        reloads: Reloads | None = None,
    ) -> None:
        self._script = script
        self._timeout = timeout
        self._as_json = as_json
        self._debug = debug
        self._check_only = check_only
        if Path(script).exists() and not Path(script).is_file():
            reloads = None  # what comes through a pipe can be read once
        self._stays = reloads is not None and reloads.watch
        self._screen = Screen(quiet=quiet, debug=debug, prints_to_stderr=as_json)
        self._options = Options(
            args=args,
            input=value,
            trust=trust,
            lua_path=lua_path,
            debug=debug,
            closed_world=reloads is None or not reloads.wakes_main,
            eager=sys.stdout.isatty() or sys.stderr.isatty(),
            write_out=self._write_out,
            write_log=self._screen.log,
        )
        self._reloading: Reloading | None = None
        takes_hangup = False
        if reloads is not None:
            from swarm_host.cli.reloading import Reloading, has_terminal

            self._reloading = Reloading(self._screen, reloads, timeout, self._tell)
            takes_hangup = not has_terminal()
        self._watchdog = Watchdog(self._screen, takes_hangup=takes_hangup)
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
        thread = threading.Thread(target=self._thread, name="lua", daemon=True)
        thread.start()
        self._watchdog.wait()
        thread.join()
        received = self._watchdog.received
        if received is None:
            return self._exit
        self._screen.note(f"cancelled by {received.name}")
        return 128 + received

    def _thread(self) -> None:
        try:
            loop.run(self._main)
        except BaseException as problem:
            self._fault(problem)
        finally:
            self._watchdog.over()

    def _fault(self, problem: BaseException) -> None:
        """A fault of ours: one line, and the Python traceback with --debug."""
        self._screen.clear()
        print(
            f"internal error: {type(problem).__name__}: {problem}\n"
            "This is a fault of swarm-host, not of the script; run again with --debug for details.",
            file=sys.stderr,
        )
        if self._debug:
            import traceback

            traceback.print_exception(problem)
        self._exit = 1

    async def _main(self) -> None:
        host = self._host = Host(self._options)
        self._watchdog.attach(asyncio.get_running_loop(), host, self._cancel, self._hang_up)
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(host.pumping())
            if self._watchdog.received:
                return
            began, problem = 0, None
            if self._reloading is not None:
                from swarm_host.marks import moment

                began = moment()
            try:
                await host.load_script(self._script)
            except LoadError as raised:
                problem = raised
                self._screen.error(render(problem.error, with_source=True))
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
            if self._reloading is None:
                await once()
            else:
                await self._reloading.run(host, self._script, began, problem, once)

    async def _run_once(self, host: Host) -> None:
        try:
            outcome = await host.run(self._timeout)
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
        if self._reloading is not None:
            self._reloading.end()

    def _hang_up(self) -> None:
        if self._reloading is not None:
            self._reloading.hang_up()

    def _write_out(self, out: bytes) -> None:
        """What scripts print. Where nobody reads any more the run is cancelled."""
        if not self._screen.write_out(out):
            self._cancel("standard output was closed")

    def _tell(self, outcome: Outcome) -> None:
        self._exit = _EXIT[outcome.status]
        if outcome.status in ("pass", "blocked") and (outcome.value is not None or self._as_json):
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
        elif isinstance(value, str) and not self._as_json:
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
        if self._as_json:
            self._print_result(described)
            return
        workers = described.get("workers") or {}
        lines = [f"{self._script}: ok"]
        for name in sorted(workers):
            worker = workers[name]
            about = f"  {worker['description']}" if worker.get("description") else ""
            lines.append(f"  worker {name} ({worker['kind']}) at {worker['where']}{about}")
        main = described.get("main")
        lines.append(f"  main at {main}" if main else "  no main: it can be loaded, but not run")
        self._print_result("\n".join(lines))

    def _tell_error(self, error: dict[str, Any]) -> None:
        self._screen.error(render(error))
