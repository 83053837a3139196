"""Faults by chance: random programs, random signals to runs with processes, and processes that
misbehave.

    python -m tests.faults [--short] [--seed N]

One JSON line for each kind: how many were tried, and how many failed. What went wrong is on stderr;
the seed, which is printed too, makes the same programs and the same signals again. The exit status
is 1 where anything failed.
"""

from __future__ import annotations

import argparse
import json
import secrets
import sys
import time
from collections.abc import Callable

from tests.faults import processes, programs, signals

KINDS: dict[str, Callable[[int, int], list[str]]] = {
    "programs": programs.run,
    "signals": signals.run,
    "processes": processes.run,
}
SHORT = {"programs": 200, "signals": 200, "processes": 250}
LONG = {"programs": 12_000, "signals": 1_000, "processes": 1_000}


def main() -> int:
    words = argparse.ArgumentParser(prog="python -m tests.faults")
    words.add_argument("--short", action="store_true", help="the form for every day: three minutes")
    words.add_argument("--seed", type=int, default=secrets.randbelow(2**31))
    words.add_argument("kinds", nargs="*", choices=[[], *KINDS], help="which; default: all")
    given = words.parse_args()
    failed = False
    for kind in given.kinds or KINDS:
        tries = (SHORT if given.short else LONG)[kind]
        started = time.monotonic()
        wrong = KINDS[kind](given.seed, tries)
        for problem in wrong:
            print(problem, file=sys.stderr)
        failed = failed or bool(wrong)
        seconds = round(time.monotonic() - started, 1)
        about = {"faults": kind, "seed": given.seed, "tries": tries, "failures": len(wrong)}
        print(json.dumps({**about, "seconds": seconds, "ok": not wrong}), flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
