"""The calibration benchmark: what is made of repeats, a real short one, and files that are none."""

from __future__ import annotations

import json
import math
import random
from pathlib import Path

import pytest

from ecotone.core.errors import InputError
from ecotone.design.calibration import UNITS, calibrate, read_calibration, write_calibration
from ecotone.design.calibration._judge import certainty, disturbances, rate_of
from ecotone.design.calibration._machine import is_in_memory, thread_counts
from ecotone.design.calibration.interface import Repeat
from ecotone.frontends.cli.main import run_command


def repeats(values: list[float]) -> list[Repeat]:
    return [Repeat(kind="python", amount=value, took_s=1.0, waited_s=0.0) for value in values]


def noisy(count: int, spread: float, centre: float = 100.0) -> list[float]:
    rng = random.Random(1)
    return [centre * (1 + spread * rng.uniform(-1, 1)) for _ in range(count)]


def test_a_rate_is_the_median_and_its_spread_holds_most_repeats() -> None:
    found = rate_of(repeats([100.0] * 5 + [90.0, 110.0, 100.0, 100.0, 10.0, 100.0]), unit="B/s")
    assert (found.value, found.unit, found.repeats) == (100.0, "B/s", 11)
    assert 0 < found.spread <= 0.1


def test_more_repeats_are_more_certain() -> None:
    assert certainty(repeats([100.0] * 8)) == math.inf
    few, many = (certainty(repeats(noisy(count, 0.1))) for count in (20, 400))
    assert many < few
    assert certainty(repeats([100.0] * 9)) == 0.0


def test_a_quiet_machine_has_no_notes() -> None:
    assert disturbances({"python": repeats(noisy(60, 0.03))}, cores=2, took_s=20.0, others_s=1.0) == ()


@pytest.mark.parametrize(
    ("values", "others_s", "stolen_s", "said"),
    [
        (noisy(60, 0.02), 20.0, 0.0, "other processes used 50% of the machine"),
        (noisy(60, 0.02), 0.0, 8.0, "took 20% of its time"),
        (noisy(30, 0.02) + noisy(30, 0.02, centre=85.0), 0.0, 0.0, "python became 15% slower"),
        (noisy(30, 0.02) + noisy(30, 0.02, centre=115.0), 0.0, 0.0, "python became 15% faster"),
        (noisy(60, 0.6), 0.0, 0.0, "differ by more than 25%: python"),
    ],
)
def test_what_disturbed_it_is_said(values: list[float], others_s: float, stolen_s: float, said: str) -> None:
    notes = disturbances({"python": repeats(values)}, cores=2, took_s=20.0, others_s=others_s, stolen_s=stolen_s)
    assert any(said in note for note in notes), notes


def test_thread_counts_are_few() -> None:
    assert thread_counts(1) == (1,)
    assert thread_counts(2) == (1, 2)
    assert thread_counts(6) == (1, 2, 4, 6)
    assert thread_counts(128) == (1, 2, 16, 128)


def test_a_short_benchmark_of_this_machine(tmp_path: Path) -> None:
    said: list[tuple[str, float]] = []
    found = calibrate(for_s=0.5, folder=tmp_path, progress=lambda kind, share, _: said.append((kind, share)))
    assert {"python", "objects", "arrays", "memory", "matmul", "hash", "codec", "system"} <= set(found.rates)
    assert set(found.rates) <= set(UNITS)
    assert all(rate.value > 0 and rate.unit == UNITS[kind] for kind, rate in found.rates.items())
    assert {kind for kind, _ in said} == set(found.rates)
    assert [share for _, share in said] == sorted(share for _, share in said)
    assert all(each.speedups for each in found.scaling)
    assert list(tmp_path.iterdir()) == []
    assert any("kept in memory" in note for note in found.notes) == is_in_memory(tmp_path)
    write_calibration(tmp_path / "here.json", found)
    assert read_calibration(tmp_path / "here.json") == found


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "not a calibration"),
        ("[]", "not a calibration"),
        ('{"machine": "m", "cores": 1, "taken_at": "", "rates": {}}', "no rate"),
        ('{"machine": "m", "cores": 1, "taken_at": "", "rates": {"python": {"value": -1}}}', r"rates"),
        ('{"machine": "m", "cores": 1, "taken_at": "", "rates": {"python": {"value": 1}}, "version": 9}', "version 9"),
    ],
)
def test_files_that_are_none_say_what_is_wrong(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "c.json").write_text(text)
    with pytest.raises(InputError, match=said):
        read_calibration(tmp_path / "c.json")
    with pytest.raises(InputError, match="cannot be read"):
        read_calibration(tmp_path / "none.json")


def test_the_command_prints_and_writes_it(tmp_path: Path, capsys, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run_command(["performance", "calibrate", "--for", "0.3s", "--output", "here.json", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["schema_version"] == 1
    assert document["reliable"] == (not document["notes"])
    assert document["rates"]["python"]["unit"] == "steps/s"
    assert read_calibration(Path("here.json")).machine == document["machine"]
    assert run_command(["performance", "calibrate", "--for", "0.3s"]) == 0
    assert "interpreted Python" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments", [["--for", "61s"], ["--for", "0s"], ["--output", "nowhere/here.json"], ["--output", "."]]
)
def test_what_cannot_be_is_refused_before_anything_is_measured(
    arguments: list[str], tmp_path, capsys, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run_command(["performance", "calibrate", *arguments]) == 2
    assert "error" in capsys.readouterr().err
