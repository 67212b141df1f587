"""Joules of a call from a counter that turns with the clock, and what is not believed."""

from __future__ import annotations

import itertools

import pytest

from ecotone.design.profiling._energy import measure_energy, needed_s
from ecotone.infrastructure.power import MeterError

IDLE_W, CALL_S, CALL_J = 40.0, 0.01, 0.3


class Machine:
    """Idle power, calls that take time and joules, and noise of the idle power by turns."""

    source = "a counter"
    refresh_s = 0.001

    def __init__(
        self, noise_w: tuple[float, ...] = (0.0,), drift_w_per_s: float = 0.0, fails_at_s: float = 1e9
    ) -> None:
        self.now_s, self._energy_j = 100.0, 0.0
        self._noise_w = itertools.cycle(noise_w)
        self._drift_w_per_s, self._fails_at_s = drift_w_per_s, fails_at_s
        self._extra_w = 0.0
        self.calls = 0

    def clock(self) -> float:
        return self.now_s

    def sleep(self, for_s: float) -> None:
        if for_s == self.refresh_s:  # the lead-in of an idle stretch
            self._extra_w = next(self._noise_w)
        self._pass(for_s)

    def work(self) -> None:
        self.calls += 1
        self._pass(CALL_S)
        self._energy_j += CALL_J

    def _pass(self, for_s: float) -> None:
        self.now_s += for_s
        self._energy_j += (IDLE_W + self._extra_w + self._drift_w_per_s * (self.now_s - 100.0)) * for_s

    def read_j(self) -> float:
        if self.now_s > self._fails_at_s:
            raise MeterError("the counter has gone")
        return self._energy_j


def energy_of(machine: Machine):
    return measure_energy(machine, machine.work, clock=machine.clock, sleep=machine.sleep)


@pytest.mark.parametrize("drift_w_per_s", [0.0, 5.0, -5.0])
def test_what_the_idle_machine_takes_is_taken_off_even_if_it_drifts(drift_w_per_s: float) -> None:
    machine = Machine(drift_w_per_s=drift_w_per_s)
    found = energy_of(machine)
    assert found.energy_j == pytest.approx(CALL_J, rel=0.03)
    assert found.noise < 0.2
    assert machine.now_s - 100.0 <= needed_s(machine, CALL_S) + 0.2


def test_what_is_not_clear_of_the_noise_is_not_believed() -> None:
    found = energy_of(Machine(noise_w=(0.0, 60.0, 5.0, 80.0)))
    assert found.energy_j is None
    assert "noise" in found.note


def test_a_meter_that_fails_is_a_note() -> None:
    found = energy_of(Machine(fails_at_s=100.5))
    assert (found.energy_j, found.note) == (None, "the counter has gone")


def test_user_code_that_raises_is_heard_of() -> None:
    machine = Machine()

    def work() -> None:
        raise ValueError("tired")

    with pytest.raises(ValueError, match="tired"):
        measure_energy(machine, work, clock=machine.clock, sleep=machine.sleep)
