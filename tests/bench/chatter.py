"""Writes so many lines a second to stderr, each with a write of its own, for so many seconds."""

import os
import sys
import time

rate, seconds = float(sys.argv[1]), float(sys.argv[2])
start = time.monotonic()
for number in range(int(rate * seconds)):
    os.write(2, b"line %d of what it does, as programs say it\n" % number)
    ahead = start + number / rate - time.monotonic()
    if ahead > 0:
        time.sleep(ahead)
