"""The benchmark of tokens."""

from __future__ import annotations

import timeit
from collections.abc import Callable

from swarm_host.tokens.authority import Authority
from swarm_host.tokens.keys import random_keys
from tests.bench.running import Result

BOUND = 25.0
CAVEATS = {
    "verbs": ["start_task", "emit_output"],
    "paths": ["src/**"],
    "programs": ["git"],
    "ttl": 600,
    "uses": 2**31,
}


def tokens(short: bool) -> Result:
    """Mint, attenuate and verify with five caveats: at most 25 us each."""
    number, rounds = (500, 3) if short else (20000, 5)
    authority = Authority(random_keys())

    def mint() -> str:
        return authority.mint(
            agent="review", role="worker", task="T-7", attempt=1, ttl=600, caveats={}
        )

    token = mint()
    narrow = authority.attenuate(token, CAVEATS)
    ways: dict[str, Callable[[], object]] = {
        "mint_us": mint,
        "attenuate_us": lambda: authority.attenuate(token, CAVEATS),
        "verify_us": lambda: authority.count(authority.admit(narrow)),
    }
    took = {
        name: round(min(timeit.repeat(way, number=number, repeat=rounds)) / number * 1e6, 1)
        for name, way in ways.items()
    }
    return {**took, "ok": all(one <= BOUND * (2.0 if short else 1.0) for one in took.values())}


BENCHMARKS: dict[str, Callable[[bool], Result]] = {"tokens": tokens}
