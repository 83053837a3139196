"""Reloads as text: one line for each change."""

from __future__ import annotations

from collections.abc import Sequence

from swarm_host.outcome import Reloaded

_MOST_NAMES = 12
"""Names in a line; the rest is counted."""


def line_of(
    change: Reloaded,
    draining: Sequence[int] = (),
    *,
    mended: bool = False,
    dry_run: bool = False,
    main: str = "",
) -> str:
    """What a reload changed, such as ``generation 2 in 12 ms: + worker lint, ~ worker count``; or
    that it changed nothing.

    :param draining: the older generations that still have workers.
    :param mended: the attempt before had failed.
    :param dry_run: nothing was switched.
    :param main: what becomes of main; where that is said, nothing is of draining.
    """
    end = " (mended)" if mended else ""
    if not change.switched:
        nothing = "nothing would change" if dry_run else "nothing changed"
        return f"reload: {nothing}; generation {change.generation} stays{end}"
    marks = (("+", change.added), ("-", change.removed), ("~", change.changed))
    names = [f"{mark} {name}" for mark, listed in marks for name in listed]
    if len(names) > _MOST_NAMES:
        names[_MOST_NAMES:] = [f"and {len(names) - _MOST_NAMES} more"]
    is_first = change.generation == 1  # there was nothing to change
    parts = [", ".join(names) or ("loaded" if is_first else "no definition changed")]
    if main:
        parts.append(main)
    elif change.draining and draining:
        parts.append(_draining(change.draining, draining, dry_run))
    would = "would be " if dry_run else ""
    head = f"{would}generation {change.generation} in {change.seconds * 1000:.0f} ms"
    return f"reload: {head}: {'; '.join(parts)}{end}"


def _draining(count: int, generations: Sequence[int], dry_run: bool) -> str:
    workers = f"{count} worker{'' if count == 1 else 's'}"
    verb = "would drain" if dry_run else "drains" if count == 1 else "drain"
    plural = "" if len(generations) == 1 else "s"
    return f"{workers} {verb} (generation{plural} {', '.join(map(str, generations))})"


def stays(generation: int) -> str:
    """What a failed reload leaves."""
    if generation == 0:
        return "load failed, waiting for a change:"
    return f"reload failed, generation {generation} stays:"
