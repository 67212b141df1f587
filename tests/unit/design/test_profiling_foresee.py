"""What an exploration teaches about parameters that nobody measured, with real workers."""

from __future__ import annotations

import statistics
import subprocess
import sys
import textwrap
from pathlib import Path

from ecotone.design.profiling import foresee
from ecotone.design.read import read_application
from ecotone.orchestration.performance import Samples, VariantSamples, read_samples
from ecotone.session import Session

CODE = """
import time
from ecotone import component, parameter

size = parameter("size", 1000)

@component(every="20 ms")
def source() -> bytes:
    end = time.thread_time() + 2e-3
    while time.thread_time() < end:
        pass
    return bytes(size.value)

@component(on=source, latency="1 s")
def work(item: bytes) -> int:
    end = time.thread_time() + 1e-3 + 1e-6 * len(item)
    while time.thread_time() < end:
        pass
    return len(item)
"""
SIZES = "size=1000,2000,4000,8000"


def explored(folder: Path) -> Path:
    folder.mkdir()
    (folder / "app.py").write_text(textwrap.dedent(CODE))
    session = Session(folder)
    session.profile(budget_s=2.0)
    session.explore([SIZES], budget_s=60.0)
    return folder


def foreseen(folder: Path, size: int) -> dict[tuple[str, str], VariantSamples]:
    read = read_application(folder, {"size": str(size)})
    assert read.root is not None
    kept = folder / ".ecotone"
    samples: Samples | None = read_samples(kept / "samples.json")
    return foresee(
        read.require(), read.root, read.module, read.parameters, samples=samples, folder=kept / "performance"
    )


def test_a_plan_for_other_parameters_needs_no_measurement(tmp_path: Path) -> None:
    folder = explored(tmp_path / "app")
    before = (folder / ".ecotone" / "samples.json").read_bytes()
    found = foreseen(folder, 6000)
    assert set(found) == {("source", "default"), ("work", "default")}
    work, source = found["work", "default"], found["source", "default"]
    assert 0.006 < statistics.median(work.cpu_s) < 0.009, "1 ms, and 1 us for each of 6,000 bytes"
    assert 5400 < statistics.fmean(source.output_bytes) < 6600
    assert work.foreseen >= 8
    assert work.foreseen_error > 0
    assert work.accuracy is None
    plan = Session(folder, parameters={"size": "6000"}).plan()
    assert any("work: times at these parameters are predicted" in note for note in plan.notes), plan.notes
    assert (folder / ".ecotone" / "samples.json").read_bytes() == before, "nothing was measured"

    assert foreseen(folder, 1000) == {}, "what was measured is not foreseen"
    assert foreseen(folder, 500_000) == {}, "too far from what was measured"
    (folder / "app.py").write_text(textwrap.dedent(CODE).replace("1e-6", "2e-6"))
    assert foreseen(folder, 6000) == {}, "the runs are of other code"


def test_foreseeing_needs_no_scipy() -> None:
    """Every plan of an explored application begins with it: scipy would cost 0.3 s, and is an extra."""
    code = "import sys; from ecotone.design.profiling import foresee; assert foresee; sys.exit('scipy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
