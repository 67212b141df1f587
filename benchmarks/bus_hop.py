"""One hop of the bus: from `append` called in one process to the delivery in another, at least once, on one machine.

    python benchmarks/bus_hop.py [--items 1500] [--rate-hz 100]

Prints latency percentiles for 1 KB and 15 KB, the CPU that all processes (writer, reader, server) spent for an item,
and how fast one writer appends. Paced as a camera would be; the machine should be calm otherwise.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from ecotone.infrastructure.bus import StreamConfig, connect, open_server

SIZES_BYTES = (1024, 15 * 1024)
WARM_UP = 100


async def read(url: str, stream: str, count: int) -> None:
    """The reading process: takes `count` items, prints its own CPU seconds for an item and each one's latency."""
    bus = await connect(url)
    latencies_s: list[float] = []
    async with bus.consume(stream, "reader") as reader:
        cpu_s = time.process_time()
        async for delivery in reader:
            now_s = time.monotonic()
            latencies_s.append(now_s - struct.unpack_from("d", delivery.data)[0])
            await delivery.ack()
            if len(latencies_s) == WARM_UP:
                cpu_s = time.process_time()
            if len(latencies_s) == count:
                break
        cpu_s = time.process_time() - cpu_s
    await bus.close()
    print(cpu_s / (count - WARM_UP), *latencies_s[WARM_UP:])


def server_cpu_s(pid: int) -> float:
    """CPU seconds that a process has used so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def measure(url: str, pid: int, size_bytes: int, count: int, rate_hz: float) -> dict[str, float]:
    """One row of the table; `rate_hz` 0 appends as fast as it can."""
    stream = f"hop-{size_bytes}-{rate_hz:g}".replace(".", "-")
    bus = await connect(url)
    await bus.create_stream(StreamConfig(name=stream, consumers=("reader",), capacity=100_000))
    command = [sys.executable, __file__, "--read", url, stream, str(count)]
    process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
    await bus.append(stream, struct.pack("d", time.monotonic()).ljust(size_bytes, b"\0"), item_id="0")
    while (await bus.consumer_state(stream, "reader")).acknowledged_floor == 0:  # noqa: ASYNC110  (still starting)
        await asyncio.sleep(0.01)
    writer_cpu_s = server_s = 0.0
    start_s = time.monotonic()
    for number in range(1, count):
        if number == WARM_UP:
            writer_cpu_s, server_s, start_s = time.process_time(), server_cpu_s(pid), time.monotonic()
        data = struct.pack("d", time.monotonic()).ljust(size_bytes, b"\0")
        await bus.append(stream, data, item_id=str(number))
        if rate_hz:
            await asyncio.sleep(1 / rate_hz)
    elapsed_s = time.monotonic() - start_s
    writer_cpu_s = (time.process_time() - writer_cpu_s) / (count - WARM_UP)
    output, _ = await process.communicate()
    server_s = (server_cpu_s(pid) - server_s) / (count - WARM_UP)
    await bus.close()
    reader_cpu_s, *latencies_s = map(float, output.split())
    cuts_s = statistics.quantiles(latencies_s, n=100)
    return {
        "p50_ms": cuts_s[49] * 1e3,
        "p95_ms": cuts_s[94] * 1e3,
        "cpu_ms": (writer_cpu_s + reader_cpu_s + server_s) * 1e3,
        "writer_ms": writer_cpu_s * 1e3,
        "reader_ms": reader_cpu_s * 1e3,
        "server_ms": server_s * 1e3,
        "rate_hz": (count - WARM_UP) / elapsed_s,
    }


def run(count: int, rate_hz: float) -> None:
    """Start a server, measure every row, print the table."""
    with tempfile.TemporaryDirectory() as name:
        server = open_server(Path(name) / "bus")
        try:
            print("size    rate/s   p50 ms   p95 ms   CPU ms/item (writer + reader + server)")
            for size_bytes in SIZES_BYTES:
                for rate in (rate_hz, 0.0):
                    row = asyncio.run(measure(server.url, server.pid, size_bytes, count, rate))
                    how = "paced" if rate else "back to back"
                    print(
                        f"{size_bytes // 1024:3d} KB {row['rate_hz']:8.0f} {row['p50_ms']:8.3f} {row['p95_ms']:8.3f}"
                        f" {row['cpu_ms']:8.3f}  ({row['writer_ms']:.3f} + {row['reader_ms']:.3f}"
                        f" + {row['server_ms']:.3f})  {how}"
                    )
        finally:
            server.stop()


def main() -> None:
    """Read the options; `--read` is the second process."""
    if sys.argv[1:2] == ["--read"]:
        url, stream, count = sys.argv[2:]
        asyncio.run(read(url, stream, int(count)))
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=1500)
    parser.add_argument("--rate-hz", type=float, default=100.0)
    options = parser.parse_args()
    run(options.items, options.rate_hz)


if __name__ == "__main__":
    main()
