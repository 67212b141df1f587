"""A command that is told to stop ends with a KeyboardInterrupt, though not in the middle of what would break by it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap

_WITHIN = """
import os, signal, sys, types
from ecotone._signals import end_like_interrupted, told_to_stop
end_like_interrupted()
made = eval("lambda: (os.kill(os.getpid(), number), sum(range(1000)), 'whole')[-1]",
            {"__name__": sys.argv[1], "os": os, "number": int(sys.argv[2])})()
print(made, told_to_stop(), flush=True)
try:
    while True:
        signal.pause()
except KeyboardInterrupt:
    print("interrupted")
"""


def _run(module: str, number: int) -> list[str]:
    command = [sys.executable, "-c", textwrap.dedent(_WITHIN), module, str(int(number))]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=20, env=dict(os.environ))
    return done.stdout.split() or done.stderr.splitlines()[-1:]


def test_it_waits_for_the_end_of_what_is_delicate():
    for module in ("msgspec._utils", "typing", "importlib._bootstrap"):
        assert _run(module, signal.SIGINT) == ["whole", "True", "interrupted"]


def test_elsewhere_it_comes_at_once():
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        assert _run("somewhere", number) == ["KeyboardInterrupt"]
