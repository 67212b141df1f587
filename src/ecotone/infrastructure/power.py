"""Reads how much energy this machine takes, where it has a counter or a meter. Used by profiling.

The first of these that can be read is taken:

1. RAPL (`/sys/class/powercap`): the packages, and the memory where it is a domain of its own. Cores and graphics are
   inside their package and `intel-rapl-mmio` shows the same package again, so they are left out; the whole platform
   (`psys`) counts only where no package does, since it contains them.
2. A power meter (`/sys/class/hwmon`): of the sockets (energy), else of the whole machine (power). Meters of graphics
   cards, disks and fans are not meters of the machine.
3. The battery of a device that runs on it (`/sys/class/power_supply`).

Counters wrap: a step back is a wrap, so a counter must be read once per wrap (RAPL: minutes at full power). A meter
that shows watts is integrated between two reads, which only means something if it is read often: `refresh_s` says how
often it has something new.
"""

from __future__ import annotations

import re
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    Clock = Callable[[], float]
    Candidates = Iterator[Callable[[], "EnergyMeter"]]

__all__ = ["SYSFS", "EnergyMeter", "Found", "MeterError", "find_meter"]

SYSFS = Path("/sys")
_RAPL_REFRESH_S = 0.001
_COUNTER_REFRESH_S = 0.1
_POWER_REFRESH_S = 1.0
_BATTERY_REFRESH_S = 5.0
_SOCKET = re.compile(r"e?socket|package", re.IGNORECASE)
_SOCKET_METERS = ("amd_energy",)
_MACHINE_METERS = (
    "power_meter", "ina209", "ina219", "ina220", "ina226", "ina230", "ina231", "ina233", "ina238", "ina260", "ina3221",
    "ltc2945", "ltc2947", "scmi_sensors", "xgene", "fam15h_power",
)  # fmt: skip
_WHOLE = re.compile(r"vdd_in|5v_in|\bin(put)?\b|total|system|psys", re.IGNORECASE)


class MeterError(Exception):
    """The meter cannot be read any more; the message says which file and why."""


class EnergyMeter(Protocol):
    """`source` says what is read, `refresh_s` how often it has something new."""

    source: str
    refresh_s: float

    def read_j(self) -> float:
        """Joules since the first read. Raises MeterError when a file has gone or makes no sense."""
        ...


class Found(msgspec.Struct, frozen=True):
    """A meter, or None and `reason`: why there is none, for a person."""

    meter: EnergyMeter | None
    reason: str


def find_meter(sysfs: Path = SYSFS, clock: Clock = time.monotonic) -> Found:
    """The best meter of this machine. Raises nothing: what cannot be read is a reason."""
    reasons: list[str] = []
    for candidates in (_rapl, _sockets, _machine, _battery):
        for make in candidates(sysfs, clock):
            try:
                meter = make()
                meter.read_j()
            except MeterError as error:
                reasons.append(str(error))
                continue
            return Found(meter, "")
    return Found(None, reasons[0] if reasons else "this machine has no energy counter, power meter or battery in use")


class _Counters:
    """Counters in microjoules that only grow, but for wraps."""

    def __init__(self, source: str, files: Sequence[tuple[Path, Path | None]], refresh_s: float) -> None:
        """`files` come with those that hold the value at which each starts at zero again; None: it does not."""
        self.source = source
        self.refresh_s = refresh_s
        self._files = [(path, 0.0 if wrap is None else _number(wrap)) for path, wrap in files]
        self._last_uj = [_number(path) for path, _ in self._files]
        self._sum_uj = 0.0

    def read_j(self) -> float:
        for index, (path, range_uj) in enumerate(self._files):
            now_uj = _number(path)
            step_uj = now_uj - self._last_uj[index]
            if step_uj < 0:
                if range_uj <= 0:
                    raise MeterError(f"{path}: the counter went back from {self._last_uj[index]:.0f} to {now_uj:.0f}")
                step_uj += range_uj
            self._last_uj[index] = now_uj
            self._sum_uj += max(0.0, step_uj)
        return self._sum_uj * 1e-6


class _Watts:
    """A meter of power, integrated from one read to the next (the mean of the two)."""

    def __init__(self, source: str, watts: Callable[[], float], refresh_s: float, clock: Clock) -> None:
        self.source = source
        self.refresh_s = refresh_s
        self._watts, self._clock = watts, clock
        self._last = (clock(), watts())
        self._sum_j = 0.0

    def read_j(self) -> float:
        before_s, before_w = self._last
        self._last = now_s, now_w = self._clock(), self._watts()
        self._sum_j += (now_s - before_s) * (before_w + now_w) / 2
        return self._sum_j


def _rapl(sysfs: Path, _clock: Clock) -> Candidates:
    """Packages with their memory; else the platform."""
    zones = {each: _text(each / "name") for each in _folders(sysfs / "class/powercap", "intel-rapl:*")}
    chosen = [zone for zone, name in zones.items() if name.startswith("package")]
    if chosen:
        chosen += [zone for zone, name in zones.items() if name == "dram"]
    else:
        chosen = [zone for zone, name in zones.items() if name == "psys"]
    if chosen:
        names = "+".join(sorted(zones[zone] for zone in chosen))
        files = [(zone / "energy_uj", zone / "max_energy_range_uj") for zone in chosen]
        yield partial(_Counters, f"RAPL {names}", files, _RAPL_REFRESH_S)


def _sockets(sysfs: Path, _clock: Clock) -> Candidates:
    for chip in _chips(sysfs, _SOCKET_METERS):
        inputs = [path for path in _inputs(chip, "energy*_input") if _SOCKET.match(_label(path))]
        if inputs:
            name = f"{_text(chip / 'name')} {'+'.join(_label(path) for path in inputs)}"
            yield partial(_Counters, name, [(path, None) for path in inputs], _COUNTER_REFRESH_S)


def _machine(sysfs: Path, clock: Clock) -> Candidates:
    """One channel: those of one chip may contain each other. The one whose label says that it is the whole, else the
    first."""
    for chip in _chips(sysfs, _MACHINE_METERS):
        name = _text(chip / "name")
        energies = _inputs(chip, "energy*_input")
        if energies:
            path = _whole(energies)
            yield partial(_Counters, f"{name} {_label(path)}".rstrip(), [(path, None)], _COUNTER_REFRESH_S)
        powers = _inputs(chip, "power*_average") or _inputs(chip, "power*_input")
        if powers:
            path = _whole(powers)
            watts = partial(_microwatts, path)
            yield partial(_Watts, f"{name} {_label(path)}".rstrip(), watts, _refresh_s(path), clock)


def _battery(sysfs: Path, clock: Clock) -> Candidates:
    for supply in _folders(sysfs / "class/power_supply", "*"):
        is_own = _text(supply / "type") == "Battery" and _text(supply / "scope") != "Device"  # a mouse has one, too
        if is_own:
            yield partial(_Watts, f"battery {supply.name}", partial(_battery_w, supply), _BATTERY_REFRESH_S, clock)


def _microwatts(path: Path) -> float:
    return _number(path) * 1e-6


def _battery_w(supply: Path) -> float:
    """While it is charged, its power is that of the charger. Raises MeterError then."""
    status = _text(supply / "status")
    if status != "Discharging":
        raise MeterError(f"{supply / 'status'} says {status or 'nothing'}: only a battery in use shows what is used")
    if (supply / "power_now").exists():
        return abs(_number(supply / "power_now")) * 1e-6
    return abs(_number(supply / "current_now")) * _number(supply / "voltage_now") * 1e-12


def _refresh_s(power: Path) -> float:
    """What the driver says about averaging, in milliseconds; else a second."""
    interval = power.with_name(re.sub(r"_(average|input)$", "_average_interval", power.name))
    try:
        return max(0.001, _number(interval) * 1e-3)
    except MeterError:
        return _POWER_REFRESH_S


def _inputs(chip: Path, pattern: str) -> list[Path]:
    return sorted(chip.glob(pattern))


def _whole(paths: Sequence[Path]) -> Path:
    return next((path for path in paths if _WHOLE.search(_label(path))), paths[0])


def _label(path: Path) -> str:
    return _text(path.with_name(re.sub(r"_(input|average)$", "_label", path.name)))


def _chips(sysfs: Path, names: Sequence[str]) -> Iterator[Path]:
    for chip in _folders(sysfs / "class/hwmon", "hwmon*"):
        if _text(chip / "name") in names:
            yield chip


def _folders(parent: Path, pattern: str) -> list[Path]:
    try:
        return sorted(each for each in parent.glob(pattern) if each.is_dir())
    except OSError:
        return []


def _text(path: Path) -> str:
    """Empty where there is none."""
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return ""


def _number(path: Path) -> float:
    try:
        text = path.read_text().strip()
    except PermissionError:
        raise MeterError(f"{path} may not be read by this user: run as root, or allow it (chmod a+r)") from None
    except OSError as error:
        raise MeterError(f"{path} cannot be read: {error.strerror}") from None
    try:
        return float(int(text))
    except ValueError:
        raise MeterError(f"{path} holds {text[:40]!r}, not a number") from None
