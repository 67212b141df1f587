"""Claim: a bare application, profiled and planned, has its first item out 0.5 s after the command (median).

    python benchmarks/start.py [runs]

Beside it, in the same run: Dask's local cluster with its first task, and Ray, where they are installed.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from _table import median, show

HERE = Path(__file__).parent

DASK = """
from dask.distributed import Client, LocalCluster
if __name__ == "__main__":
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster, Client(cluster) as client:
        client.submit(int, 1).result(); import time; print(time.time())
"""
RAY = """
import logging, ray
ray.init(num_cpus=2, include_dashboard=False, logging_level=logging.ERROR)
ray.get(ray.remote(lambda: 1).remote()); import time; print(time.time())
"""


def ecotone_start_s(app: Path, mark: str) -> float:
    """Seconds from starting the command to the sink's first item."""
    before = set((app / ".ecotone" / "runs").glob("*"))
    start = time.time()
    command = ["ecotone", "run", str(app), "--for", "1s", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)} failed:\n{done.stderr}")
    (run,) = set((app / ".ecotone" / "runs").glob("*")) - before
    return float((run / "outputs" / mark).read_text()) - start


def peer_start_s(program: str) -> float | None:
    """Seconds from starting Python to the first result; None when the peer is not installed."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "peer.py"
        path.write_text(program)
        start = time.time()
        done = subprocess.run([sys.executable, path], capture_output=True, text=True, check=False)
    return float(done.stdout.split()[-1]) - start if done.returncode == 0 else None


def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    two = HERE / "apps" / "two"
    subprocess.run(["ecotone", "run", str(two), "--for", "1s", "--json"], capture_output=True, check=True)
    rows = []
    ours = [ecotone_start_s(two, "first-item") for _ in range(runs)]
    rows.append(["ecotone run, two components", f"{median(ours):.3f}", f"{min(ours):.3f}", f"{max(ours):.3f}"])
    for name, program in (("Dask LocalCluster, first task", DASK), ("Ray, first task", RAY)):
        if (first := peer_start_s(program)) is None:
            rows.append([name, "not installed", "", ""])
            continue
        times = [first, *(peer_start_s(program) or 0.0 for _ in range(runs - 1))]
        rows.append([name, f"{median(times):.3f}", f"{min(times):.3f}", f"{max(times):.3f}"])
    show("From the command to the first item, s", ["", "median", "min", "max"], rows)


if __name__ == "__main__":
    main()
