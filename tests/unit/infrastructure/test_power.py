"""Counters and meters of recorded machines: which of them counts, wraps, and files that cannot be read."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from ecotone.infrastructure.power import EnergyMeter, MeterError, find_meter

RECORDED = Path(__file__).parents[2] / "recorded" / "sysfs"


class Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def machine(name: str, folder: Path) -> Path:
    return Path(shutil.copytree(RECORDED / name, folder / name))


def meter_of(sysfs: Path, clock: Clock | None = None) -> EnergyMeter:
    found = find_meter(sysfs, clock or Clock())
    assert found.meter is not None, found.reason
    return found.meter


def advance(path: Path, by: int, wrap: int = 0) -> None:
    value = int(path.read_text()) + by
    path.write_text(f"{value % wrap if wrap else value}\n")


def test_packages_and_their_memory_are_added_and_wrap(tmp_path: Path) -> None:
    sysfs = machine("server", tmp_path)
    meter = meter_of(sysfs)
    assert meter.source == "RAPL dram+dram+package-0+package-1"
    assert meter.read_j() == 0.0
    zones = sysfs / "class/powercap"
    for zone, range_uj in (("intel-rapl:0", 262143328850), ("intel-rapl:0:0", 65712999613)):
        assert int((zones / zone / "max_energy_range_uj").read_text()) == range_uj
    advance(zones / "intel-rapl:0/energy_uj", 5_000_000, 262143328850)  # over its range
    assert int((zones / "intel-rapl:0/energy_uj").read_text()) < 5_000_000
    advance(zones / "intel-rapl:1/energy_uj", 3_000_000)
    advance(zones / "intel-rapl:1:0/energy_uj", 500_000)
    assert meter.read_j() == pytest.approx(8.5)
    advance(zones / "intel-rapl:0/energy_uj", 1_000_000)
    assert meter.read_j() == pytest.approx(9.5)


def test_what_is_inside_a_package_or_around_it_does_not_count_twice(tmp_path: Path) -> None:
    sysfs = machine("laptop", tmp_path)
    meter = meter_of(sysfs)
    assert meter.source == "RAPL package-0"
    for zone in ("intel-rapl:0:0", "intel-rapl:0:1", "intel-rapl:1", "intel-rapl-mmio:0"):
        advance(sysfs / f"class/powercap/{zone}/energy_uj", 7_000_000)
    advance(sysfs / "class/powercap/intel-rapl:0/energy_uj", 2_000_000)
    assert meter.read_j() == pytest.approx(2.0)


def test_the_platform_counts_where_no_package_does(tmp_path: Path) -> None:
    sysfs = machine("laptop", tmp_path)
    shutil.rmtree(sysfs / "class/powercap/intel-rapl:0")
    assert meter_of(sysfs).source == "RAPL psys"


def test_sockets_count_and_cores_are_inside_them(tmp_path: Path) -> None:
    sysfs = machine("epyc", tmp_path)
    meter = meter_of(sysfs)
    assert meter.source == "amd_energy Esocket0+Esocket1"
    advance(sysfs / "class/hwmon/hwmon2/energy1_input", 9_000_000)
    advance(sysfs / "class/hwmon/hwmon2/energy6_input", 4_000_000)
    assert meter.read_j() == pytest.approx(4.0)
    (sysfs / "class/hwmon/hwmon2/energy6_input").write_text("17\n")  # these have no range to wrap at
    with pytest.raises(MeterError, match="went back"):
        meter.read_j()


def test_watts_are_integrated_between_reads(tmp_path: Path) -> None:
    sysfs, clock = machine("rack", tmp_path), Clock()
    meter = meter_of(sysfs, clock)
    assert (meter.source, meter.refresh_s) == ("power_meter", 1.0)
    clock.now_s += 2.0
    (sysfs / "class/hwmon/hwmon1/power1_average").write_text("200000000\n")
    assert meter.read_j() == pytest.approx(2 * (186 + 200) / 2)


def test_the_rail_that_feeds_the_others_counts(tmp_path: Path) -> None:
    clock = Clock()
    meter = meter_of(machine("board", tmp_path), clock)
    assert meter.source == "ina3221 VDD_IN"
    clock.now_s += 10.0
    assert meter.read_j() == pytest.approx(64.0)


def test_a_battery_tells_only_while_it_is_used(tmp_path: Path) -> None:
    sysfs, clock = machine("field", tmp_path), Clock()
    meter = meter_of(sysfs, clock)
    assert meter.source == "battery bq27541-0"
    clock.now_s += 1.0
    assert meter.read_j() == pytest.approx(0.42 * 3.8)
    (sysfs / "class/power_supply/bq27541-0/status").write_text("Charging\n")
    with pytest.raises(MeterError, match="Charging"):
        meter.read_j()
    found = find_meter(sysfs)
    assert found.meter is None
    assert "Charging" in found.reason


def unreadable(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the kernel has it since 2020, for everybody but root; root, who may run this, is refused all the same."""
    read_text = Path.read_text

    def refuse(self: Path, *args: object, **kwargs: object) -> str:
        if self == path:
            raise PermissionError(13, "Permission denied")
        return read_text(self, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(Path, "read_text", refuse)


def test_a_counter_that_only_root_may_read_is_a_reason_or_leaves_it_to_the_next_meter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = machine("server", tmp_path)
    unreadable(server / "class/powercap/intel-rapl:1/energy_uj", monkeypatch)
    found = find_meter(server)
    assert found.meter is None
    assert "may not be read" in found.reason
    laptop = machine("laptop", tmp_path)
    unreadable(laptop / "class/powercap/intel-rapl:0/energy_uj", monkeypatch)
    assert meter_of(laptop).source == "battery BAT0"  # not the graphics card, not the mouse


def test_a_domain_that_vanishes_is_said(tmp_path: Path) -> None:
    sysfs = machine("server", tmp_path)
    meter = meter_of(sysfs)
    shutil.rmtree(sysfs / "class/powercap/intel-rapl:1")
    with pytest.raises(MeterError, match="intel-rapl:1/energy_uj cannot be read"):
        meter.read_j()


@pytest.mark.parametrize("text", ["", "many", "1.5"])
def test_a_counter_without_a_number_is_a_reason(text: str, tmp_path: Path) -> None:
    sysfs = machine("server", tmp_path)
    (sysfs / "class/powercap/intel-rapl:0/energy_uj").write_text(text)
    found = find_meter(sysfs)
    assert found.meter is None
    assert "not a number" in found.reason


def test_a_machine_without_any_says_so(tmp_path: Path) -> None:
    found = find_meter(tmp_path / "nothing")
    assert found.meter is None
    assert "no energy counter" in found.reason
