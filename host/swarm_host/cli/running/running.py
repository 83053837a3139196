"""One run from the command line: the main thread keeps the signals, loop and VM have their own."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import anyio

from swarm_host.cli.running.asking import asking, on_ask, prompts
from swarm_host.cli.running.auditing import audit_of, end_now, heads, note_signal
from swarm_host.cli.running.lingering import lingering_told
from swarm_host.cli.running.status import asks, status_of
from swarm_host.cli.running.telling import fault, told_at_end
from swarm_host.cli.running.watchdog import LOOK_SECONDS, Watchdog
from swarm_host.cli.wish import RunWish
from swarm_host.cli.words import TIMED_OUT, first_fault, refuse
from swarm_host.entries import titled
from swarm_host.errors import LoadError, SwarmError, WorkerCancelled
from swarm_host.host import Host
from swarm_host.journal.places import NoJournal
from swarm_host.options import Options
from swarm_host.outcome import Outcome
from swarm_host.serving.listening import CannotListen, listening
from swarm_host.threads.loop import LoopThread
from swarm_host.version import __version__
from swarm_host.view.fronts.following import Following
from swarm_host.view.fronts.shown import View, default_view, rows_of, shown
from swarm_host.view.lingering import cancelling
from swarm_host.view.outputs import result_of
from swarm_host.view.screen import Screen
from swarm_host.view.summary import colour_of

if TYPE_CHECKING:
    from swarm_host.cli.running.reloading import WatchedRun
    from swarm_host.journal.recorder import Recorder
    from swarm_host.view.fronts.log_dir import LogDir

_LOAD_ERROR = 2
_LISTENING = "serve takes work there: set XDG_RUNTIME_DIR to a folder of yours with a short path"
_PICTURED = 40
"""Rows of the run that are looked at for who is at work."""
_LOGS_SECONDS = 0.5
"""How long a process that ends at once waits until what was said is in --log-dir."""
_JOURNAL_SECONDS = 5.0
"""How long a process that a trusted script ends waits until its journal and audit are whole."""


class Running:
    """Runs one script and says how it went.

    :param wish: what is asked for.
    :param events: where events of the run are written as JSON lines.
    :param log_dir: where what each attempt says is kept.
    :param token_keys: keys of tokens, the newest first; none: a random one.
    :param on_loaded: called once the script is loaded, or could not be, with the error; it gives
        the exit status, and nothing runs.
    """

    def __init__(
        self,
        wish: RunWish,
        events: BinaryIO | None = None,
        log_dir: LogDir | None = None,
        *,
        token_keys: Sequence[bytes] = (),
        on_loaded: Callable[[Host, dict[str, Any] | None], int] | None = None,
    ) -> None:
        self._wish = wish
        self._on_loaded = on_loaded
        reload = wish.reload
        if Path(wish.script).exists() and not Path(wish.script).is_file():
            # What comes through a pipe can be read once.
            reload = reload._replace(takes_over=False) if reload and reload.serves else None
        self._stays = reload is not None and reload.watch
        self._serves = reload is not None and reload.serves
        screen = self._screen = Screen(
            quiet=wish.quiet, debug=wish.debug, prints_to_stderr=wish.as_json, events=events
        )
        self._view: View = "off" if wish.quiet else wish.view or default_view()
        screen.names_prints = self._view in ("tree", "lines") and screen.prints_at_terminal
        self._log_dir = log_dir
        if log_dir is not None:
            log_dir.on_problem = screen.error
        takers = [screen.said] if self._view == "lines" else []
        takers += [] if self._log_dir is None else [self._log_dir.take]
        self._following = Following(*takers) if takers else None
        self._options = Options(
            args=wish.args,
            input=wish.input,
            trust=wish.trust,
            lua_path=wish.lua_path,
            debug=wish.debug,
            on_ask=on_ask(wish, prompts=prompts(wish)),
            closed_world=reload is None or not reload.wakes_main,
            cancel_grace=wish.cancel_grace,
            operator_kind=wish.operator_kind,
            blocked=wish.blocked,
            checked=on_loaded is not None,
            spec=wish.spec,
            virtual_clock=wish.spec,
            budget=dict(wish.budget),
            token_keys=token_keys,
            eager=os.isatty(1) or os.isatty(2),
            write_out=screen.write_out,
            write_log=self._take_entry,
            write_output=None if self._following is None else self._following.output,
            events_shown=self._following is not None,
            names_prints=screen.names_prints,
            copies_prints=self._log_dir is not None,
            write_events=None if events is None else screen.write_events,
            watched=self._view == "tree" and screen.terminal,
            before_exit=self._before_exit,
            reuse=wish.reuse,
            journal=self._journal_of(wish),
            audit=audit_of(None if on_loaded is not None else wish.audit),
        )
        self._watched: WatchedRun | None = None
        on_hangup = None
        if reload is not None:
            from swarm_host.cli.running.reloading import WatchedRun, has_terminal

            self._watched = WatchedRun(screen, reload, self._run_main, self._tell)
            if reload.takes_over and not has_terminal():
                on_hangup = self._watched.hang_up
        self._thread = LoopThread("lua", self._main)
        self._watchdog = Watchdog(
            screen, self._thread, self._interrupt, on_hangup, self._tell_who, wish.timeout
        )
        self._watchdog.before_end = self._close_logs
        screen.on_problem(lambda problem: self._thread.call(self._cancel, problem))
        self._host: Host | None = None
        self._exit = 1
        self._asks = False  # it has ended because only answers can move it
        self._spares = False  # to resume the run is less than to run it again

    def run(self) -> int:
        """Runs the script in a second thread, and returns the exit status."""
        in_time = self._watchdog.watch(self._conclude)
        received = self._watchdog.received
        if received is not None:
            return 128 + received
        return self._exit if in_time else TIMED_OUT

    def _conclude(self) -> None:
        """The run is over: says what is not said yet."""
        if self._log_dir is not None:
            self._log_dir.close()
        problem = self._thread.problem
        if isinstance(problem, SwarmError):  # out of memory, or what was to be written was not
            self._tell_error(problem.error)
            self._exit = self._exit or 1
        elif problem is not None:
            self._screen.note(fault(problem, with_traceback=self._wish.debug))
            self._exit = 1
        if self._screen.problem is not None:
            self._screen.error(self._screen.problem)
            self._exit = self._exit or 1
        if self._watchdog.received is not None:
            self._screen.note(f"cancelled by {self._watchdog.received.name}")
        self._tell_audit()
        self._tell_how_to_resume()

    def _journal_of(self, wish: RunWish) -> Recorder | None:
        """The run's journal, with what is needed to go on with it."""
        if wish.journal is None or wish.spec or self._on_loaded is not None:
            return None
        try:
            journal = wish.journal.recorder()
        except NoJournal as problem:
            refuse(str(problem))
        journal.on_warning = lambda text: self._screen.note(f"warning: {text}")
        journal.describe({"wish": wish.recorded()})
        if journal.resumed is None:
            on = {"python": sys.version.split()[0], "system": sys.platform}
            journal.describe({"cwd": str(Path.cwd()), "version": __version__, **on})
        return journal

    def _tell_how_to_resume(self) -> None:
        """A run that has not come to its end can go on."""
        journal = self._options.journal
        if not journal or not journal.is_on_disk or self._wish.quiet or self._stays:
            return
        broken_off = self._watchdog.received is not None or self._exit == TIMED_OUT
        if self._asks:
            self._screen.note(f"answer with: swarm-host answer {journal.name} KEY VALUE")
        if broken_off or self._asks or (self._exit and self._spares):
            self._screen.note(f"resume it with: swarm-host resume {journal.name}")

    def _before_exit(self) -> None:
        """A trusted script ends the process: what it said is read first; a signal ends the wait."""
        self._screen.close()
        if self._log_dir is not None:
            self._log_dir.close()
        if self._options.journal is not None:
            self._options.journal.end_now(_JOURNAL_SECONDS)
        end_now(self._host, _JOURNAL_SECONDS, "exit")
        self._tell_audit()
        while self._screen.unread and not self._watchdog.is_due:
            self._screen.wait(LOOK_SECONDS)

    def _close_logs(self) -> None:
        """The process ends at once: what was said is kept, if the disk is quick."""
        if self._log_dir is not None:
            self._log_dir.close(_LOGS_SECONDS)
        end_now(self._host, _LOGS_SECONDS, "killed")

    def _tell_audit(self) -> None:
        """Says what proves later that nothing was cut off the audit."""
        for line in () if self._wish.quiet else heads(self._host):
            self._screen.note(line)

    def _take_entry(self, entry: dict[str, Any]) -> None:
        """Takes an entry of the log, or an event among them."""
        self._screen.log(entry)
        if self._following is not None:
            self._following.entry(entry)

    async def _main(self) -> None:
        try:
            host = self._host = Host(self._options)
        except SwarmError as refused:  # the input is JSON, and more than can cross
            self._tell_error(refused.error)
            self._exit = _LOAD_ERROR
            return
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
                with anyio.move_on_after(self._wish.timeout) as bounded:
                    await host.load_script(self._wish.script)
                if bounded.cancelled_caught:
                    seconds, script = self._wish.timeout, self._wish.script
                    self._screen.error(f"--timeout {seconds:g}: {script} was not loaded in time")
                    self._exit = TIMED_OUT
                    return
            except LoadError as raised:
                problem = raised
                if self._on_loaded is not None:
                    self._exit = self._on_loaded(host, problem.error)
                    return
                self._tell_error(problem.error, with_source=True)
                self._exit = _LOAD_ERROR
                if not self._stays or self._serves:
                    return
                self._screen.progress_note("waiting for a change (Ctrl-C ends)")
            except WorkerCancelled:
                return
            if self._on_loaded is not None:
                self._exit = self._on_loaded(host, None)
                return
            try:
                await stack.enter_async_context(listening(host, self._how))
            except CannotListen as why:
                if self._serves:
                    self._screen.error(f"{why}\n{_LISTENING}")
                    return
                self._screen.progress_note(str(why))
            await stack.enter_async_context(shown(self._view, self._screen, host))
            await stack.enter_async_context(asking(self._wish, self._screen, host))
            await stack.enter_async_context(lingering_told(host, self._screen, self._is_over))
            if self._watchdog.received:
                return  # it came between loading and main, when there was nobody to cancel
            once = partial(self._run_once, host)
            if self._watched is None:
                await once()
            else:
                await self._watched.run(host, self._wish.script, began, problem, once)
            if self._serves:
                await host.end_serving()
                self._screen.clear()
                self._tell_summary(None)

    def _is_over(self) -> bool:
        """Whether somebody who goes on is waited for."""
        return not self._serves or self._watchdog.is_due

    def _how(self) -> str:
        """How the run has ended, in short."""
        if self._watchdog.received is not None:
            return f"cancelled by {self._watchdog.received.name}"
        return f"exit status {self._exit}"

    async def _run_once(self, host: Host) -> None:
        try:
            outcome = await self._run_main(host, again=False)
        except LoadError as problem:
            self._tell_error(problem.error)
            self._exit = _LOAD_ERROR
            return
        self._screen.clear()
        self._spares = host.counts()["pass"] > 0
        self._tell(outcome)

    def _interrupt(self, reason: str) -> None:
        """A signal came: says what it does, and cancels."""
        note_signal(self._host, self._watchdog.received)
        try:
            self._tell_whom()
        finally:
            self._cancel(reason)

    def _tell_whom(self) -> None:
        """Says whom a signal cancels."""
        received = self._watchdog.received
        if self._host is not None and received is not None:
            word = "Ctrl-C" if received == signal.SIGINT else received.name
            live = self._host.counts()["live"]
            rows = rows_of(self._host, _PICTURED)
            self._screen.progress_note("\n".join(cancelling(rows, live, word)))

    async def _run_main(self, host: Host, *, again: bool) -> Outcome:
        """Runs main within its time."""
        self._watchdog.begin()
        try:
            if self._serves:
                return await host.run_beside(self._wish.timeout)
            return await host.run(self._wish.timeout, again=again)
        finally:
            if again:
                self._watchdog.rest()

    def _cancel(self, reason: str) -> None:
        """Cancels all that is alive, and with it the run."""
        if self._host is not None:
            self._host.cancel_all(reason)
        if self._watched is not None:
            self._watched.end()

    def _tell_who(self) -> None:
        """Says who is alive, and what each waits for."""
        if self._host is None:
            return
        for one in self._host.waiting():
            place, waits_for = one["where"], one["waits_for"]
            self._screen.note(f"{one['task_id']} {titled(one)} at {place} waits for {waits_for}")

    def _tell(self, outcome: Outcome) -> None:
        self._exit, self._asks = status_of(outcome), asks(outcome)
        if not self._serves:
            self._tell_summary(outcome)
        of_main = outcome.main or outcome  # what fails the run takes nothing of what main returned
        if of_main.status in ("pass", "blocked") and (
            of_main.value is not None or self._wish.as_json
        ):
            self._print_result(of_main.value)
        if outcome.status == "blocked" and outcome.error is not None:
            self._screen.note(str(outcome.error["message"]))
        elif (
            outcome.error is not None
            and not (
                # Who cancelled it is told at the end.
                outcome.status == "cancelled" and (self._watchdog.received or self._screen.problem)
            )
            and not self._asks
        ):
            self._tell_error(outcome.error)

    def _tell_summary(self, outcome: Outcome | None) -> None:
        """Says what there is to tell beside the result; with --quiet only what fails the run."""
        if self._host is None:
            return
        options, watched = self._options, self._options.watched
        lines = told_at_end(
            self._host, outcome, self._wish, self._log_dir, options.journal, watched=watched
        )
        for line in lines:
            self._screen.note(line, colour_of(line))

    def _print_result(self, value: Any) -> None:
        if isinstance(value, str) and self._wish.as_json:
            try:
                value.encode(errors="surrogateescape").decode()
            except UnicodeDecodeError as problem:
                self._screen.error(
                    "main's result cannot be JSON: the string is not UTF-8: " + first_fault(problem)
                )
                self._exit = 1
                return
        self._screen.write_result(result_of(value, as_json=self._wish.as_json))

    def _tell_error(self, error: dict[str, Any], *, with_source: bool = False) -> None:
        from swarm_host.view.errors import render  # most runs need none

        self._screen.error(render(error, with_source=with_source))
