"""An application with a component of kind cell: checked, profiled, planned, run by the agent, in the report."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.e2e.conftest import APPS, Command, wait_until

if importlib.util.find_spec("wasmtime") is None or importlib.util.find_spec("ziglang") is None:
    pytest.skip("cells need the extras `cells` and `cells-build`", allow_module_level=True)

PROGRAM = Path(__file__).parents[1] / "unit" / "execution" / "cells" / "programs" / "component.c"
pytestmark = pytest.mark.e2e
Start = Callable[..., Command]


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from ecotone.design.cells import build_module

    folder = tmp_path_factory.mktemp("cells") / "cells"
    shutil.copytree(APPS / "cells", folder)
    build_module([PROGRAM], folder / "double.cell")
    command = [sys.executable, "-m", "ecotone", "plan", str(folder), "--json"]
    done = subprocess.run(command, capture_output=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return folder


def test_it_runs_and_what_its_ranks_compute_is_reported(ecotone: Start, app: Path) -> None:
    command = ecotone("run", app, "--for", "2s", "--json")
    assert command.finish() == 0, command.stderr.decode()
    components = command.document["components"]
    assert components["sink"]["count"] == components["double"]["count"] > 5, command.document
    assert components["double"]["dead_letters"] == 0


def test_a_killed_host_takes_its_cells_with_it_and_nothing_is_lost(ecotone: Start, app: Path) -> None:
    command = ecotone("run", app, "--for", "4s", "--json")
    wait_until(lambda: command.pids("cells._serving"), "the process that starts cells is there")
    starter = min(command.pids("cells._serving"))  # the others are its children
    host = int(Path(f"/proc/{starter}/stat").read_text().rpartition(")")[2].split()[1])
    command.kill(host)
    wait_until(lambda: starter not in command.pids(), "it has gone with its host")
    assert command.finish() == 0, command.stderr.decode()
    assert command.document["components"]["double"]["restarts"] >= 1
    assert command.document["lost"] == 0
