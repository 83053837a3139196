"""``python -m tests.ecosystem`` prints the table: which libraries run where, and why not."""

from __future__ import annotations

import tempfile
from pathlib import Path

from tests.ecosystem.reasons import NOT_GUARDED
from tests.ecosystem.trying import MODES, exercises, found, is_there, tried


def main() -> None:
    """Runs every exercise in every mode."""
    libraries = found()
    passed = dict.fromkeys(MODES, 0)
    unexpected = []
    with tempfile.TemporaryDirectory() as folder:
        names = [name for name in exercises() if is_there(libraries, name)]
        for name in names:
            said = {mode: tried(mode, libraries, name, Path(folder)) for mode in MODES}
            for mode in MODES:
                passed[mode] += said[mode] == "" == said["plain"]
            shown = [f"{mode} {'ok' if not said[mode] else 'fails'}" for mode in MODES]
            print(f"{name:18} {', '.join(shown)}", flush=True)
            for mode in MODES:
                if said[mode]:
                    print(f"{'':18} {mode}: {said[mode][:160]}")
            if not said["plain"] and (
                said["trusted"] or bool(said["guarded"]) != (name in NOT_GUARDED)
            ):
                unexpected.append(name)
    print(f"of {len(names)}: {', '.join(f'{mode} {passed[mode]}' for mode in MODES)}")
    print(f"other than tests/ecosystem/reasons.py says: {', '.join(unexpected) or 'none'}")


if __name__ == "__main__":
    main()
