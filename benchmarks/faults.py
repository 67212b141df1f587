"""Claim: a killed host is noticed within 100 ms, a hung one within 2 s, and its items go on.

    python benchmarks/faults.py [times]

Real processes are killed and frozen while numbers flow through them. "noticed" is from the signal to the agent's (or
controller's) event; "again" from the signal to the next number that arrives behind the victim; nothing may be lost.
Peers, measured elsewhere: Dask does not notice a hung worker within 45 s, Ray not within 60 s, Kubernetes in 45.5 s.
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import time
from pathlib import Path

import anyio
from _table import median, show

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.support.deployments import Run, deployment_of, running  # noqa: E402

APP = ROOT / "tests" / "e2e" / "apps" / "agent"
PLACES = {"numbers": "edge-1", "work": "edge-2", "sink": "cloud", "ask": "edge-1"}
LIMITS_S = {"killed host": 0.1, "frozen host": 2.0}


async def strike(run: Run, victim: str) -> tuple[float, float]:
    """Kill or freeze; seconds until it is noticed, and until numbers arrive again."""
    if victim.endswith("host"):
        pid = await run.pid_of("work")
        number, kind = (signal.SIGKILL, "host_died") if victim == "killed host" else (signal.SIGSTOP, "host_hung")
    else:
        pid = run.agent.pid if victim == "killed agent" else run.server.pid
        number, kind = signal.SIGKILL, "agent_died" if victim == "killed agent" else "bus_died"
    start_s = time.time()
    os.kill(pid, number)
    event = await run.event(kind, start_s)
    count = len(run.output("numbers.txt"))
    await run.wait_for(lambda: len(run.output("numbers.txt")) > count, "numbers arrive again")
    again_s = time.time() - start_s
    await anyio.sleep(2.5)  # the agent judges ages again, backing off is over
    return event.time_s - start_s, again_s


async def measure(victim: str, times: int) -> tuple[list[float], list[float], int]:
    """The durations of `times` strikes within one run, and what was lost."""
    with tempfile.TemporaryDirectory() as folder:
        async with running(deployment_of(APP, PLACES), Path(folder)) as run:
            await run.controller.wait_running(30)
            await anyio.sleep(2.5)
            pairs = [await strike(run, victim) for _ in range(times)]
            report = await run.controller.drain_and_stop(10)
            arrived = {int(line) for line in run.output("numbers.txt")}
    lost = max(report.lost, len(set(range(1, max(arrived) + 1)) - arrived))
    return [each[0] for each in pairs], [each[1] for each in pairs], lost


def main() -> None:
    times = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    rows: list[list[object]] = []
    for victim in ("killed host", "frozen host", "killed agent", "killed bus"):
        noticed, again, lost = anyio.run(measure, victim, times)
        limit_s = LIMITS_S.get(victim)
        rows.append(
            [
                victim,
                f"{median(noticed) * 1e3:.1f}",
                f"{max(noticed) * 1e3:.1f}",
                f"{limit_s * 1e3:.0f}" if limit_s else "",
                f"{median(again) * 1e3:.0f}",
                lost,
            ]
        )
    show(
        f"Faults, {times} times each, ms",
        ["victim", "noticed, median", "largest", "at most", "numbers again, median", "lost"],
        rows,
    )


if __name__ == "__main__":
    main()
