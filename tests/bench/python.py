"""What a call of a function of Python's costs."""

from __future__ import annotations

import sys

from tests.bench.running import Result, run

SYNC, ASYNC = 1.3, 5.0
"""Times that of anyio alone: a function in a thread, and an async one. Next to a bare task, which
does nothing, stand a worker, its rights, its request and its answer."""

AT_ONCE = 64


def python(short: bool) -> Result:
    """Calls at once of a function that does nothing: at most 1.3 times `to_thread.run_sync`."""
    count = AT_ONCE * (25 if short else 100)
    found: Result = {"ok": True}
    for kind, bound in (("sync", SYNC), ("async", ASYNC)):
        command = [sys.executable, "-m", "tests.bench.python_calls", kind, str(count), str(AT_ONCE)]
        took, _ = run(command)
        ratio = took["seconds"] / took["bare"]
        found |= {
            f"{kind}_per_second": round(count / took["seconds"]),
            f"{kind}_bare_per_second": round(count / took["bare"]),
            f"{kind}_ratio": round(ratio, 2),
            f"{kind}_cpu_ratio": round(took["cpu"] / took["bare_cpu"], 2),
        }
        found["ok"] = found["ok"] and ratio <= bound * (2.0 if short else 1.0)
    return found


BENCHMARKS = {"python": python}
