"""`python -m ecotone.execution.agent`: see `options` for what it reads, `agent` for what it does.

The order is what makes it start fast: options, then the imports that agent and fork server share, then the fork, so
that the user's module is imported there while the agent connects to the bus here.
"""

from __future__ import annotations

import gc
import os
import signal
import sys


def main() -> None:
    """Run an agent until its standard input ends or SIGTERM comes."""
    gc.disable()  # a few thousand objects are made during the imports and all of them stay
    from ecotone.execution.agent import kernel  # noqa: PLC0415

    kernel.die_with_parent(signal.SIGKILL, os.getppid())
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    first = sys.stdin.buffer.readline()
    if not first:
        sys.exit("ecotone.execution.agent is started by ecotone itself: use `ecotone run APP`")
    from ecotone.execution.agent.forkserver import THREAD_VARIABLES  # noqa: PLC0415

    for name in THREAD_VARIABLES:
        os.environ[name] = "1"
    from ecotone.execution.agent import runner  # noqa: PLC0415

    runner.run(first)


if __name__ == "__main__":
    main()
