"""One hop between two hosts of one node, at least once: from just before an item is emitted to user code entered.

    python benchmarks/hop.py [--items 300] [--rate 100]

Prints, for three payloads: the latency's percentiles, and the CPU time of all processes (both hosts and the bus server)
per item. The source waits between items, as a camera does; an idle core is what a hop usually meets.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.support.hosts import rig, until

APPLICATION = """
import time
import numpy as np
from ecotone import component, output_dir, parameter

items = parameter("items", 300)
rate = parameter("rate", 50.0)
size = parameter("size", 1024)
raw = parameter("raw", False)

@component(source=True, throughput="50 items/s", live=True)
def sender():
    stamp = np.zeros(size.value, np.uint8)
    due_s = time.monotonic() + 0.5
    for _ in range(items.value):
        time.sleep(max(0.0, due_s - time.monotonic()))
        due_s += 1 / rate.value
        stamp[:8].view(np.int64)[0] = time.monotonic_ns()
        yield stamp if raw.value else stamp.tobytes()

@component(on=sender)
class Receiver:
    def __init__(self) -> None:
        self.latencies = []

    def __call__(self, data):
        now = time.monotonic_ns()
        self.latencies.append(now - int(np.frombuffer(data[:8], np.int64)[0]))
        if len(self.latencies) == items.value:
            np.save(output_dir() / "latencies.npy", np.array(self.latencies))
"""

PAYLOADS = [
    ("1 KB", 1024, False, 0.8),
    ("15 KB (a JPEG)", 15 * 1024, False, 1.0),
    ("522 KB (a raw frame)", 522_000, True, 1.5),
]
CPU_LIMIT_MS = 2.0
FAST = "/dev/shm" if Path("/dev/shm").is_dir() else None


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def measure(root: Path, size: int, raw: bool, items: int, rate: float) -> tuple[np.ndarray, float, list[float]]:
    async with rig(root) as run:
        parameters = {"items": items, "rate": rate, "size": size, "raw": raw}
        await run.deploy(APPLICATION, parameters=parameters)
        await run.start("receiver")
        pids = [run.server.pid, run.hosts["receiver"].process.pid]
        await run.start("sender")
        pids.append(run.hosts["sender"].process.pid)
        before = [cpu_s(pid) for pid in pids]
        saved = root / "outputs" / "latencies.npy"
        await until(saved.exists, "all items have come", items / rate + 60)
        used = [after - start for after, start in zip((cpu_s(pid) for pid in pids), before, strict=True)]
        await asyncio.sleep(0.2)
        for name in ("sender", "receiver"):
            await run.hosts[name].stop()
        return np.load(saved) / 1e6, sum(used) / items * 1e3, [each / items * 1e3 for each in used]


async def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=int, default=300)
    parser.add_argument("--rate", type=float, default=100.0)
    arguments = parser.parse_args()
    failed = 0
    columns = ("p50 ms", "p95 ms", "p99 ms", "limit", "CPU ms", "limit")
    print(f"{'payload':24}{''.join(f'{column:>8}' for column in columns)}  bus / receiver / sender")
    for name, size, raw, limit_ms in PAYLOADS:
        with tempfile.TemporaryDirectory(dir=FAST) as folder:
            latencies, cpu_ms, parts = await measure(Path(folder), size, raw, arguments.items, arguments.rate)
        p50, p95, p99 = np.percentile(latencies, [50, 95, 99])
        ok = p50 <= limit_ms and cpu_ms <= CPU_LIMIT_MS
        failed += not ok
        print(
            f"{name:24}{p50:8.3f}{p95:8.3f}{p99:8.3f}{limit_ms:8.1f}{cpu_ms:8.2f}{CPU_LIMIT_MS:8.1f}  "
            f"{' / '.join(f'{part:.2f}' for part in parts)}{'' if ok else '   NOT REACHED'}"
        )
    print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
