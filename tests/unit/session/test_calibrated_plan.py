"""A plan on a calibrated node type calibrates the machine of the samples once, and keeps that with them."""

from __future__ import annotations

import msgspec
import pytest

from ecotone.core.calibration import Calibration, Rate
from ecotone.core.errors import InputError
from ecotone.design.calibration import write_calibration
from ecotone.orchestration.performance.samples import read_samples
from ecotone.session import Session
from ecotone.session.machines import calibrate

APP = """
from ecotone import component

@component(source=True, throughput="10 items/s")
def turn():
    while True:
        yield sum(number * number for number in range(20_000))
"""
CONTINUUM = """
emulated: false
sites:
  field: {layer: device, nodes: {board: {cores: 4, calibration: board.json, power: {idle: 2 W, busy: 6 W}}}}
"""


@pytest.mark.slow
def test_it_is_calibrated_once_and_predicts_by_the_ratio(tmp_path) -> None:
    (tmp_path / "app.py").write_text(APP)
    (tmp_path / "continuum.yaml").write_text(CONTINUUM)
    known = {kind: Rate(value=1.0) for kind in ("python", "objects", "arrays", "memory", "system")}
    write_calibration(tmp_path / "board.json", Calibration(machine="board", cores=4, taken_at="", rates=known))
    session = Session(tmp_path)
    samples = session.profile(budget_s=1.0)
    here = samples.calibration
    assert here is not None
    assert set(known) <= set(here.rates)
    file = session.state_folder / "samples.json"
    assert read_samples(file) == samples
    assert Session(tmp_path).profile().calibration == here
    half = {kind: msgspec.structs.replace(rate, value=rate.value / 2) for kind, rate in here.rates.items()}
    write_calibration(tmp_path / "board.json", msgspec.structs.replace(here, machine="board", rates=half))
    plan = Session(tmp_path).plan()
    prediction = plan.prediction_of("turn")
    assert prediction is not None
    mean_s = sum(samples.variants[0].cpu_s) / len(samples.variants[0].cpu_s)
    assert prediction.service_mean_s == pytest.approx(2 * mean_s, rel=0.3)


@pytest.mark.parametrize("for_s", [0.0, -1.0, 61.0])
def test_a_calibration_is_at_most_a_minute(for_s: float) -> None:
    with pytest.raises(InputError, match="at most 60 s"):
        calibrate(for_s=for_s)
