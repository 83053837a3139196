"""What usage events come to, as ``lua/swarm/events/tally.lua`` adds them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

_AMOUNTS = ("tokens", "input", "output", "cached", "cost")


def add_usage(sums: dict[str, float], event: Mapping[str, Any]) -> None:
    """Adds the amounts of a usage event to sums. Tokens that are given apart are tokens too; what
    is below zero, or no number, counts nothing."""
    for name in _AMOUNTS:
        amount = event.get(name)
        if name == "tokens" and amount is None and (event.get("input") or event.get("output")):
            amount = sum(_amount(event.get(part)) or 0 for part in ("input", "output"))
        counted = _amount(amount)
        if counted is not None:
            sums[name] = sums.get(name, 0) + counted


def _amount(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if value >= 0 and math.isfinite(value) else None
