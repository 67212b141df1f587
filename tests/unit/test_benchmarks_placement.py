"""The benchmark of placement still runs: parts of it on small systems. What it promises is measured, not tested."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from benchmarks.placement import peers, proofs, replan
from benchmarks.placement._cases import generated
from benchmarks.placement._report import print_report, write_json


def test_small_systems_are_proven_and_the_answers_are_printed_and_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    reports = proofs.reports(list(generated(5, 1)))
    for report in reports:
        print_report(report)
    assert "all proven optimal and feasible  2/2" in capsys.readouterr().out
    write_json(tmp_path / "answers.json", reports)
    written = msgspec.json.decode((tmp_path / "answers.json").read_bytes())
    assert written["parts"][0]["rows"][0]["instances"] == "generated/5 strict"
    assert written["parts"][0]["claims"][0]["kept"]


def test_what_a_lost_machine_ran_is_placed_again() -> None:
    (report,) = replan.run(quick=True)
    assert len(report.rows) == 2


def test_peers_find_nothing_cheaper() -> None:
    (report,) = peers.run(quick=True)
    assert all(isinstance(over, float) and over >= -1e-6 for _, over, *_ in report.rows)
