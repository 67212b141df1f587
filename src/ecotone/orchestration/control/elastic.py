"""How many cores replicas of cell components use while a run goes on: fewer when the load falls, more when it grows.

Only cells: each item is a job of its own, so that the next one has the new number of threads and nothing is restarted.
Everything else of the plan stays as it is. The judge of plans is asked what each number would break at the load that
the sources bring; called by the controller with each sample, which tells the agents what has changed.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from ecotone.core.messages import Deployment
    from ecotone.orchestration.control.observe import Sample
    from ecotone.orchestration.performance.samples import Samples
    from ecotone.orchestration.placement.evaluate import Evaluator

__all__ = ["Change", "Elastic", "Judge", "choose", "elastic_cores", "judge_of"]

Judge = Callable[[Mapping[str, int], float], Mapping[tuple[str, str], str]]
"""What would be broken with so many cores of each component at this share of the planned load: sentences, by subject
and what of it."""

_WINDOW_MIN_S = 5.0
_WINDOW_ITEMS = 20
"""Of the slowest source, as planned: one more or less is how the window happens to lie."""
_SETTLE_LOOKS = 3
"""A smaller number is taken when it has been enough for so many looks in a row."""
_LOW_LOAD, _HIGH_LOAD = 0.8, 1.1
"""Shares of the planned load between which it counts as what was planned."""
_SPARE = 1.25
"""Fewer cores must be enough for so much more than there is."""
_STEP = 0.05
"""Loads are told apart in these steps, upwards."""
_LOADS_KEPT = 4
"""Compiled problems, which are large."""


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """A decision; `reason` in words."""

    component: str
    before: int
    after: int
    reason: str


class Elastic:
    """Of one run.

    Args:
        deployment: what runs.
        judge: asked about each load once.
    """

    def __init__(self, deployment: Deployment, judge: Judge) -> None:
        self._deployment = deployment
        self._judge = judge
        self.planned = elastic_cores(deployment)
        self.cores = dict(self.planned)
        """What each elastic component has now."""
        self._rates_per_s = _planned_rates(deployment)
        self._window_s = max(_WINDOW_MIN_S, _WINDOW_ITEMS / min(self._rates_per_s.values(), default=1.0))
        self._samples: deque[tuple[float, dict[str, int]]] = deque()
        self._answers: dict[float, dict[str, tuple[int, str]]] = {}
        self._fewer_since = 0

    def look(self, sample: Sample) -> list[Change]:
        """Take in the totals until now; what changes from now on."""
        load = self._load(sample)
        if load is None:
            return []
        if load not in self._answers:
            self._answers[load] = choose(self._deployment, self.planned, load, self._judge)
        wanted = self._answers[load]
        fewer = any(cores < self.cores[name] for name, (cores, _) in wanted.items())
        self._fewer_since = self._fewer_since + 1 if fewer else 0
        changes: list[Change] = []
        for name, (cores, reason) in wanted.items():
            before = self.cores[name]
            if cores > before or (cores < before and self._fewer_since >= _SETTLE_LOOKS):
                changes.append(Change(component=name, before=before, after=cores, reason=reason))
                self.cores[name] = cores
        return changes

    def _load(self, sample: Sample) -> float | None:
        """The largest share of its planned rate that a source brings, in steps; None while too little is known."""
        application = self._deployment.application
        counts = {name: sample.count(application.component(name)) for name in self._rates_per_s}
        if not self._samples and not any(counts.values()):
            return None
        self._samples.append((sample.time_s, counts))
        while len(self._samples) > 2 and sample.time_s - self._samples[1][0] >= self._window_s:
            self._samples.popleft()
        since_s, before = self._samples[0]
        passed_s = sample.time_s - since_s
        if passed_s < self._window_s * (1 - 1e-9):
            return None
        shares = [(count - before[name]) / passed_s / self._rates_per_s[name] for name, count in counts.items()]
        load = max(_STEP, math.ceil(max(shares) / _STEP - 1e-9) * _STEP)
        return 1.0 if _LOW_LOAD < load <= _HIGH_LOAD else round(load, 9)


def _planned_rates(deployment: Deployment) -> dict[str, float]:
    """Of the sources, as far as the plan says something of them."""
    found: dict[str, float] = {}
    for component in deployment.application.components:
        prediction = deployment.plan.prediction_of(component.name)
        if not component.trigger.inputs and prediction is not None and prediction.rate_per_s > 0:
            found[component.name] = prediction.rate_per_s
    return found


def elastic_cores(deployment: Deployment) -> dict[str, int]:
    """The components whose number can change while they run, with what the plan gives each replica."""
    found: dict[str, int] = {}
    for component in deployment.application.components:
        planned = {row.cores for row in deployment.plan.assignments_of(component.name)}
        if component.cell is not None and len(component.core_counts) > 1 and len(planned) == 1:
            found[component.name] = planned.pop()
    return found


def choose(deployment: Deployment, planned: Mapping[str, int], load: float, judge: Judge) -> dict[str, tuple[int, str]]:
    """For each elastic component how many cores at this share of the planned load, and why.

    Well below what was planned: the fewest that break nothing which the plan's own number keeps, with some load to
    spare. Otherwise the plan's, and if that breaks something, the fewest that break least. One component after the
    other, in data order.
    """
    chosen = dict(planned)
    reasons: dict[str, str] = {}
    brings = f"the sources bring {load:.0%} of what was planned"
    for name in [each.name for each in deployment.application.in_data_order() if each.name in planned]:
        component = deployment.application.component(name)
        own = planned[name]
        reasons[name] = f"{brings}: as planned"
        if load <= _LOW_LOAD:
            spared = min(1.0, load * _SPARE)
            allowed = set(judge(chosen, spared))
            for cores in (each for each in component.core_counts if each < own):
                if set(judge({**chosen, name: cores}, spared)) <= allowed:
                    chosen[name] = cores
                    words = f"{cores} cores are" if cores > 1 else "one core is"
                    reasons[name] = f"{brings}: {words} enough for every promise"
                    break
            continue
        broken = judge(chosen, load)
        for cores in (each for each in component.core_counts if each > own and broken):
            left = judge({**chosen, name: cores}, load)
            if set(left) < set(broken):
                cured = next(text for what, text in broken.items() if what not in left)
                chosen[name], broken = cores, left
                reasons[name] = f"{brings}, and otherwise: {cured}"
    return {name: (cores, reasons[name]) for name, cores in chosen.items()}


def judge_of(deployment: Deployment, samples: Samples) -> Judge:
    """The judge of plans, by what was profiled. The solver is not needed, and nothing is loaded before it is asked."""
    kept: dict[float, Evaluator] = {}

    def judge(cores: Mapping[str, int], load: float) -> dict[tuple[str, str], str]:
        if load not in kept:
            while len(kept) >= _LOADS_KEPT:
                del kept[next(iter(kept))]
            kept[load] = _evaluator(deployment, samples, load)
        rows = [
            msgspec.structs.replace(row, cores=cores.get(row.component, row.cores))
            for row in deployment.plan.assignments
        ]
        return {(each.subject, each.what): each.message for each in kept[load].evaluate(rows).violations}

    return judge


def _evaluator(deployment: Deployment, samples: Samples, load: float) -> Evaluator:
    from ecotone.orchestration.placement.evaluate import Evaluator  # noqa: PLC0415  (numpy, and simulations)
    from ecotone.orchestration.placement.problem import compile_problem  # noqa: PLC0415

    problem = compile_problem(
        deployment.application,
        deployment.continuum,
        samples,
        fuse=bool(deployment.plan.groups),
        load=load,
        confidence=deployment.plan.confidence,
    )
    return Evaluator(problem)
