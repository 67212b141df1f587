"""Which runs are believed, and how an exploration goes, on a simulated machine: noise, drift, load by others."""

from __future__ import annotations

import itertools

import numpy
import pytest

from ecotone.design.profiling._belief import REFERENCE_EVERY, Entry, believe
from ecotone.design.profiling._exploration import Exploration

GRID = numpy.array(list(itertools.product([1, 2, 4, 8], [1, 2, 4])), dtype=float)


def seconds(candidate: int) -> float:
    batch, cores = GRID[candidate]
    return float(0.01 + 0.02 * batch / cores)


def runs(*values: tuple[int, float]) -> list[Entry]:
    return [Entry(candidate, value) for candidate, value in values]


def test_all_is_believed_while_the_reference_stays() -> None:
    belief = believe(runs((0, 1.0), (1, 2.0), (2, 3.0), (0, 1.05), (3, 4.0), (0, 0.97)))
    assert belief.doubts == ("",) * 6
    assert not belief.drifts and belief.unchecked == 0 and not belief.reference_due


def test_the_reference_is_measured_again_now_and_then() -> None:
    entries = runs((0, 1.0), *((1 + n, 2.0) for n in range(REFERENCE_EVERY)))
    assert not believe(entries[:-1]).reference_due
    assert believe(entries).reference_due


def test_one_odd_run_of_the_reference_is_looked_at_again_and_means_nothing() -> None:
    entries = runs((0, 1.0), (1, 2.0), (0, 1.5))
    assert believe(entries).reference_due
    after = believe([*entries, Entry(0, 1.01)])
    assert after.doubts == ("", "", "odd", "")
    assert not after.drifts and not after.reference_due


def test_two_that_agree_are_a_drift_and_what_was_before_is_measured_again() -> None:
    belief = believe(runs((0, 1.0), (1, 2.0), (0, 1.0), (2, 3.0), (0, 1.5), (0, 1.52), (3, 4.0)))
    assert belief.doubts == ("drift", "drift", "drift", "drift", "", "", "")
    (drift,) = belief.drifts
    assert (drift.after, drift.seen) == (2, 5)
    assert drift.change == pytest.approx(0.51, abs=0.01)


def test_a_machine_that_comes_back_finds_its_runs_there() -> None:
    belief = believe(
        runs((0, 1.0), (1, 2.0), (0, 1.0), (2, 9.0), (0, 1.5), (0, 1.5), (3, 9.0), (0, 1.0), (0, 1.02), (4, 5.0))
    )
    assert belief.doubts == ("", "", "", "drift", "drift", "drift", "drift", "", "", "")
    assert [round(each.change, 1) for each in belief.drifts] == [0.5, -0.3]


def test_runs_under_more_load_than_usual_are_not_believed_twice_at_most() -> None:
    quiet = [Entry(0, 1.0, 0.1), Entry(1, 2.0, 0.1), Entry(2, 3.0, 0.2)]
    busy = [Entry(3, 8.0, 0.9)] * 3
    assert believe([*quiet, *busy]).doubts == ("", "", "", "busy", "busy", "")


def test_a_machine_that_is_always_busy_is_taken_as_it_is() -> None:
    assert not any(believe([Entry(place, 1.0 + place, 0.8) for place in range(5)]).doubts)


def explored(machine: object, accuracy: float = 0.1, runs_max: int = 80) -> Exploration:
    """`machine(number, candidate)` gives the factor on the true time of a run, and the share of others."""
    exploration = Exploration(GRID, accuracy)
    for number in range(runs_max):
        index = exploration.next()
        if index is None:
            break
        factor, others = machine(number, index)  # type: ignore[operator]
        exploration.add(Entry(index, seconds(index) * factor, others))
    return exploration


def true_error(exploration: Exploration) -> float:
    foreseen = [exploration.foreseen(index) for index in range(len(GRID))]
    return float(numpy.mean([abs(each.value / seconds(i) - 1) for i, each in enumerate(foreseen) if each is not None]))


def test_noise_costs_runs_and_not_accuracy() -> None:
    random = numpy.random.default_rng(0)
    exploration = explored(lambda *_: (float(numpy.exp(0.04 * random.normal())), 0.0))
    assert exploration.reached()
    assert true_error(exploration) < 0.08


def test_what_was_measured_while_the_machine_was_slow_is_not_in_the_model() -> None:
    random = numpy.random.default_rng(1)

    def machine(number: int, _: int) -> tuple[float, float]:
        return float(numpy.exp(0.01 * random.normal())) * (1.6 if 5 <= number < 14 else 1.0), 0.0

    exploration = explored(machine)
    assert len(exploration.belief.drifts) == 2
    assert exploration.reached()
    assert true_error(exploration) < 0.08


def test_a_busy_moment_is_waited_out() -> None:
    exploration = explored(lambda number, _: (2.5, 0.9) if number in {6, 7} else (1.0, 0.1))
    assert "busy" in exploration.belief.doubts
    assert exploration.reached()
    assert true_error(exploration) < 0.08


def test_the_last_word_has_the_reference() -> None:
    exploration = explored(lambda *_: (1.0, 0.0))
    assert exploration.entries[-1].candidate == exploration.entries[0].candidate


def test_it_goes_on_from_its_runs_and_looks_at_the_machine_first() -> None:
    whole = explored(lambda *_: (1.0, 0.0), runs_max=7)
    again = Exploration(GRID, 0.1, whole.entries)
    assert again.next() == whole.entries[0].candidate
    again.add(Entry(whole.entries[0].candidate, 3 * seconds(whole.entries[0].candidate)))
    again.add(Entry(whole.entries[0].candidate, 3 * seconds(whole.entries[0].candidate)))
    assert set(again.belief.doubts[:7]) == {"drift"}


def test_what_fails_is_left_out() -> None:
    exploration = Exploration(GRID, 0.1)
    tried = []
    for _ in range(40):
        index = exploration.next()
        if index is None:
            break
        tried.append(index)
        if GRID[index][0] == 8:
            exploration.fail(index)
        else:
            exploration.add(Entry(index, seconds(index)))
    assert len([index for index in tried if GRID[index][0] == 8]) == len(exploration.failed)
    assert exploration.reached()


def test_with_one_configuration_it_is_measured_three_times() -> None:
    exploration = Exploration(GRID[:1], 0.1)
    while (index := exploration.next()) is not None:
        exploration.add(Entry(index, 1.0))
    assert len(exploration.entries) == 3
