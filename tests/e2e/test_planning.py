"""Real `ecotone plan` commands for an application that has been profiled."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.e2e.conftest import Command

pytestmark = pytest.mark.e2e

Start = Callable[..., Command]
Prepare = Callable[[str], Path]


def test_an_application_is_planned_in_other_ways(ecotone: Start, prepared: Prepare, tmp_path: Path) -> None:
    app = prepared("numbers")

    def document(*options: str | Path) -> dict:
        command = ecotone("plan", app, *options, "--json")
        assert command.finish() == 0, command.stderr.decode()
        return command.document

    usual = document()
    running = tmp_path / "plan.json"
    running.write_text(json.dumps(usual))
    front = document("--pareto", "power", "--plot", tmp_path / "front.svg")
    assert front["complete"]
    assert front["points"][0]["cost_eur_per_h"] == pytest.approx(usual["cost_eur_per_h"], abs=1e-5)
    assert (tmp_path / "front.svg").read_text().startswith("<?xml")
    assert document("--objective", "power")["objective"] == "power"
    assert document("--running", running, "--moving-price", "1")["moved"] == []
    loads = document("--largest-load", "--time-limit", "20s")
    assert loads["any_plan"]["possible"] >= 0.98 * loads["this_plan"]["possible"] >= 0.9
    assert document() == usual, "the usual plan is kept"
