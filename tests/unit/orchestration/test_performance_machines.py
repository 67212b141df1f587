"""From one machine to another by calibrations, the interval that they leave, and when measured joules hold there."""

from __future__ import annotations

import msgspec
import pytest
from tests.support.applications import camera, measured, samples_of

from ecotone.core.application import Application
from ecotone.core.calibration import Calibration, Rate
from ecotone.core.continuum import Continuum, NodeType, Power, Site
from ecotone.orchestration.performance import sampled_model
from ecotone.orchestration.performance.samples import Samples, WorkMix, read_samples, write_samples
from ecotone.orchestration.placement import plan


def calibration(machine: str, **rates: float) -> Calibration:
    known = {kind: Rate(value=value, spread=0.01, repeats=50) for kind, value in rates.items()}
    return Calibration(machine=machine, cores=2, taken_at="now", rates=known)


HERE = calibration("here", python=8e6, arrays=2e6, memory=20e9, matmul=100e9, convolution=80e9, hash=2e9, system=2e6)
BOARD = calibration("board", python=2e6, arrays=0.4e6, memory=10e9, matmul=10e9, convolution=5e9, hash=1e9, system=1e6)
LIKE = calibration("here", python=7.6e6, arrays=2e6, memory=21e9, matmul=101e9, convolution=80e9, hash=2e9, system=2e6)
INTERPRETED = WorkMix(interpreted=1.0, native=0.0, system=0.0)
NATIVE = WorkMix(interpreted=0.0, native=1.0, system=0.0)
KERNEL = WorkMix(interpreted=0.0, native=0.0, system=1.0)


def model_of(mix: WorkMix | None, here: Calibration | None = HERE, energy_j: float | None = None):
    taken = msgspec.structs.replace(measured("a", 0.01, spread=0), mix=mix, energy_j=energy_j, energy_noise=0.1)
    samples = msgspec.structs.replace(samples_of(taken), calibration=here, machine="here")
    return sampled_model(Application(name="x", components=(camera("a"),)), samples)


def node(found: Calibration | None, speed: float = 1.0, power: Power | None = None) -> NodeType:
    return NodeType(name="n", cores=2, speed=speed, calibration=found, power=power or Power(idle_w=2.0, busy_w=12.0))


@pytest.mark.parametrize(
    ("mix", "least", "most"),
    [(INTERPRETED, 4.0, 5.0), (NATIVE, 2.0, 16.0), (KERNEL, 2.0, 2.0), (None, 2.0, 16.0)],
)
def test_the_interval_is_at_least_as_wide_as_the_ratios_disagree(mix, least: float, most: float) -> None:
    found = model_of(mix).service("a", "default", node(BOARD))
    assert least * 0.0099999 <= found.value <= most * 0.0100001
    assert found.low <= least * 0.01 * 1.0000001
    assert found.high >= most * 0.01 * 0.9999999
    assert found.supported == (most / least <= 1.5)


def test_a_mix_takes_the_sum_of_its_parts() -> None:
    half = WorkMix(interpreted=0.5, native=0.0, system=0.5)
    assert model_of(half).slowdown("a", "default", node(BOARD)) == pytest.approx(0.5 * 4.5 + 0.5 * 2.0)


@pytest.mark.parametrize("here", [None, calibration("here", disk_read=1e9)])
def test_without_rates_to_compare_speed_counts(here: Calibration | None) -> None:
    found = model_of(NATIVE, here).service("a", "default", node(BOARD, speed=0.5))
    assert found == model_of(NATIVE, here).service("a", "default", node(None, speed=0.5))
    assert found.value == pytest.approx(0.02)


def test_the_same_machine_predicts_itself() -> None:
    found = model_of(INTERPRETED).service("a", "default", node(HERE))
    assert found.value == pytest.approx(0.01)
    assert found.supported


@pytest.mark.parametrize(
    ("where", "source"),
    [
        (node(None), "measured"),
        (node(None, power=Power()), "measured"),
        (node(None, speed=0.97), "measured"),
        (node(None, speed=0.5), "estimated"),
        (node(None, power=Power(idle_w=1.0, busy_w=2.0)), "estimated"),  # a core takes a twentieth of what was measured
        (node(LIKE, speed=0.5), "measured"),
        (node(BOARD), "estimated"),
    ],
)
def test_measured_joules_hold_on_a_node_that_is_like_the_machine(where: NodeType, source: str) -> None:
    model = model_of(INTERPRETED, energy_j=0.06)  # 6 W of a core
    assert model.energy_source("a", "default", where) == source
    energy = model.energy("a", "default", where)
    declared = where.power.per_core_w(where.cores) * model.cpu_s("a", "default", where)
    expected = 0.06 * model.slowdown("a", "default", where) if source == "measured" else declared
    assert energy.value == pytest.approx(expected)
    assert energy.low < energy.value < energy.high


def test_without_a_meter_energy_is_estimated() -> None:
    assert model_of(INTERPRETED).energy_source("a", "default", node(LIKE)) == "estimated"


def test_samples_of_before_still_read(tmp_path) -> None:
    samples = samples_of(measured("a", 0.01))
    file = tmp_path / "samples.json"
    document = msgspec.to_builtins(samples)
    new = {"energy_j", "energy_noise", "energy_meter", "energy_note", "mix"}
    document["variants"] = [
        {key: value for key, value in each.items() if key not in new} for each in document["variants"]
    ]
    del document["calibration"]
    file.write_bytes(msgspec.json.encode(document))
    assert read_samples(file) == samples
    more = msgspec.structs.replace(
        samples, calibration=HERE, variants=(msgspec.structs.replace(samples.variants[0], energy_j=0.5, mix=NATIVE),)
    )
    write_samples(file, more)
    found = read_samples(file)
    assert isinstance(found, Samples)
    assert found == more
    assert found.variants[0].energy_source == "measured"


def test_a_plan_on_calibrated_nodes_takes_their_times_and_says_what_they_are() -> None:
    taken = msgspec.structs.replace(measured("a", 0.002, spread=0), mix=INTERPRETED)
    samples = msgspec.structs.replace(samples_of(taken), calibration=HERE, machine="here")
    application = Application(name="x", components=(camera("a"),))
    site = Site(name="s", layer="device", node_types=(node(BOARD),))
    found = plan(application, Continuum(name="c", sites=(site,)), samples)
    prediction = found.prediction_of("a")
    assert prediction is not None
    assert prediction.service_mean_s == pytest.approx(0.002 * 4.5, rel=0.15)
    assert prediction.energy_source == "estimated"
    assert any("padded to its speed" in note for note in found.notes)
    real = plan(application, Continuum(name="c", sites=(site,), emulated=False), samples)
    assert not any("padded" in note for note in real.notes)
