"""Runs a command and prints its wall time and peak memory as one line: measure.py NAME COMMAND..."""

import os
import sys
import time

name, *command = sys.argv[1:]
start = time.perf_counter()
child = os.spawnvp(os.P_NOWAIT, command[0], command)
_, status, usage = os.wait4(child, 0)
seconds = time.perf_counter() - start
print(f"{name}: {seconds:.1f} s, {usage.ru_maxrss / 1024:.0f} MB", file=sys.stderr)
sys.exit(os.waitstatus_to_exitcode(status))
