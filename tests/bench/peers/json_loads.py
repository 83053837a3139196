"""A bare loop over what a program writes: json.loads of each line, and nothing else."""

import json
import subprocess
import sys
import time

started = time.monotonic()
command = sys.argv[1:]
process = subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
assert process.stdout is not None
count = 0
for line in process.stdout:
    json.loads(line)
    count += 1
process.wait()
print(json.dumps({"seconds": time.monotonic() - started, "items": count}))
