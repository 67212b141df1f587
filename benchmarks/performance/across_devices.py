"""How far a calibration carries from one device to another, against one number for the speed.

`python -m benchmarks.performance.across_devices` measures nine components here and on three other devices, predicts
each there from the samples of here, and prints the error, and how many of the intervals hold what was measured.

There is one machine, so the other devices are made of it, each with the same calibration benchmark run in it:

- old: libraries kept from the newer instructions (BLAS as for an SSE3 processor, no SHA instructions), and an allocator
  that makes the interpreter slower: rates that differ from kind to kind, as between processors;
- crowded: one core, whose neighbour copies memory all the time;
- quota: one core, of which a cgroup gives 40 % (needs a writable cgroup; left out elsewhere).
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from ecotone.core.continuum import NodeType
from ecotone.design.calibration import read_calibration
from ecotone.orchestration.performance import read_samples, sampled_model
from ecotone.session import Session

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ecotone.core.calibration import Calibration
    from ecotone.orchestration.performance import Samples

APP = Path(__file__).with_name("kinds_of_work")
OLD = {
    "OPENBLAS_CORETYPE": "Prescott",
    "OPENSSL_ia32cap": "~0x200000200000000:~0x20000000",
    "PYTHONMALLOC": "debug",
}
HOG = "import numpy as n; a = n.ones(6_000_000); b = n.zeros(6_000_000)\nwhile True: n.copyto(b, a)"
QUOTA = Path("/sys/fs/cgroup/cpu/ecotone-quota")


def on_device(
    folder: Path, environment: dict[str, str], prefix: list[str], seconds: int
) -> tuple[Calibration, Samples]:
    """Calibrate and profile in a fresh folder."""
    shutil.copytree(APP, folder, ignore=shutil.ignore_patterns(".ecotone", "__pycache__"))
    own = {**os.environ, **environment}
    ecotone = [*prefix, sys.executable, "-m", "ecotone"]
    written = folder / "calibration.json"
    for command in (
        ["performance", "calibrate", "--for", f"{seconds}s", "--output", str(written)],
        ["profile", str(folder), "--budget", f"{seconds}s"],
    ):
        done = subprocess.run([*ecotone, *command], env=own, check=False, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"{' '.join(command)}: {done.stderr}")
    samples = read_samples(folder / ".ecotone" / "samples.json")
    assert samples is not None
    return read_calibration(written), samples


@contextlib.contextmanager
def hog(core: int) -> Iterator[None]:
    process = subprocess.Popen(["taskset", "-c", str(core), sys.executable, "-c", HOG])
    try:
        yield
    finally:
        process.kill()
        process.wait()


@contextlib.contextmanager
def quota(share: float) -> Iterator[list[str]]:
    """What to put before a command."""
    QUOTA.mkdir()
    try:
        (QUOTA / "cpu.cfs_period_us").write_text("10000")
        (QUOTA / "cpu.cfs_quota_us").write_text(str(int(10_000 * share)))
        yield ["sh", "-c", f'echo $$ > {QUOTA}/cgroup.procs; exec "$@"', "sh"]
    finally:
        QUOTA.rmdir()


def devices(scratch: Path, seconds: int) -> Iterator[tuple[str, Calibration, Samples]]:
    pinned = ["taskset", "-c", "0"]
    yield "here", *on_device(scratch / "here", {}, pinned, seconds)
    yield "old", *on_device(scratch / "old", OLD, pinned, seconds)
    with hog(1):
        found = on_device(scratch / "crowded", {}, pinned, seconds)
    yield "crowded", *found
    try:
        with quota(0.4) as before:
            found = on_device(scratch / "quota", {}, [*before, *pinned], seconds)
    except OSError as error:
        print(f"quota is left out: {error}")
        return
    yield "quota", *found


def rows(
    application: Any, here: tuple[Calibration, Samples], there: tuple[Calibration, Samples]
) -> list[dict[str, Any]]:
    samples = msgspec.structs.replace(here[1], calibration=here[0])
    model = sampled_model(application, samples)
    single = there[1].machine_score / here[1].machine_score
    found: list[dict[str, Any]] = []
    for each in there[1].variants:
        measured_s = statistics.fmean(each.wall_s)
        own = model.service(each.component, each.variant, NodeType(name="there", calibration=there[0]))
        one = model.service(each.component, each.variant, NodeType(name="there", speed=single))
        before = samples.of(each.component, each.variant)
        assert before is not None
        found.append(
            {
                "component": each.component,
                "here_ms": statistics.fmean(before.wall_s) * 1e3,
                "there_ms": measured_s * 1e3,
                "error": own.value / measured_s - 1,
                "held": own.low <= measured_s <= own.high,
                "width": (own.high - own.low) / 2 / own.value,
                "supported": own.supported,
                "speed_error": one.value / measured_s - 1,
                "speed_held": one.low <= measured_s <= one.high,
            }
        )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=18, help="for each calibration, and for each profile")
    seconds = parser.parse_args().seconds
    application, _ = Session(APP).check().require()
    with tempfile.TemporaryDirectory() as scratch:
        here: tuple[Calibration, Samples] | None = None
        for name, calibration, samples in devices(Path(scratch), seconds):
            print(f"\n{name}: {'; '.join(calibration.notes) or 'quiet and steady'}; score {samples.machine_score:.2f}")
            if here is None:
                here = calibration, samples
                continue
            both = [(kind, rate, here[0].rates.get(kind)) for kind, rate in calibration.rates.items()]
            print(
                "  slower by: " + ", ".join(f"{kind} {was.value / rate.value:.2f}" for kind, rate, was in both if was)
            )
            found = rows(application, here, (calibration, samples))
            for each in found:
                held, supported = "held" if each["held"] else "MISSED", "" if each["supported"] else ", not supported"
                print(
                    f"  {each['component']:10} {each['here_ms']:7.2f} ms here {each['there_ms']:7.2f} there"
                    f"  error {each['error']:+6.1%} (half-width {each['width']:.0%}, {held}{supported})"
                    f"  by speed {each['speed_error']:+6.1%} ({'held' if each['speed_held'] else 'MISSED'})"
                )
            for label, key in (("calibration", ""), ("speed alone", "speed_")):
                errors = [abs(each[f"{key}error"]) for each in found]
                held = sum(each[f"{key}held"] for each in found)
                print(f"  {label}: median error {statistics.median(errors):.1%}, {held} of {len(found)} intervals held")


if __name__ == "__main__":
    main()
