"""What is told at the end of a run beside its result."""

from __future__ import annotations

from typing import TYPE_CHECKING

from swarm_host.host import Host
from swarm_host.outcome import Outcome
from swarm_host.view.asked import waiting
from swarm_host.view.fronts.shown import SHOWN_SECONDS
from swarm_host.view.summary import blocked, named_in, summary_of, told_in

if TYPE_CHECKING:
    from swarm_host.cli.wish import RunWish
    from swarm_host.journal.recorder import Recorder
    from swarm_host.view.fronts.log_dir import LogDir

_MOST_LOGS = 5


def told_at_end(
    host: Host,
    outcome: Outcome | None,
    wish: RunWish,
    log_dir: LogDir | None,
    journal: Recorder | None,
    *,
    watched: bool,
) -> list[str]:
    """The lines; with ``--quiet`` only what fails the run.

    :param outcome: how the run ended; None: it served.
    :param watched: somebody has seen it while it went on.
    """
    summary, seconds = host.summary(), host.seconds()
    if wish.quiet:
        return blocked(summary["blocked"]) if wish.blocked == "fail" else []
    error = None if outcome is None else outcome.error
    if error is not None and error["code"] == "unanswered":
        return waiting(error, summary["asked"]).splitlines()
    total = watched and seconds >= SHOWN_SECONDS
    lines = summary_of(summary, host.counts(), seconds, told=told_in(error), total=total)
    if log_dir is not None:
        listed = [*summary["failed"]["tasks"], *named_in(error)]
        files = dict.fromkeys(filter(None, map(log_dir.file_of, listed)))
        lines += [f"log: {file}" for file in [*files][:_MOST_LOGS]]
    if journal is not None:
        lines += journal.told()
    return lines


def fault(problem: BaseException, *, with_traceback: bool) -> str:
    """A fault of ours, as text."""
    text = (
        f"internal error: {type(problem).__name__}: {problem}\n"
        "This is a fault of swarm-host, not of the script; run again with --debug for details."
    )
    if with_traceback:
        import traceback

        text += "\n" + "".join(traceback.format_exception(problem)).rstrip()
    return text
