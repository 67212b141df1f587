"""What a plan of an application is to be best at, and what must hold besides its promises; plain values.

Given to `plan` and `search`. Systems of shared resources have a goal of their own kind, in `system.model`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from ecotone.core.plan import Assignment

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ecotone.orchestration.placement.evaluate import Evaluation, Violation
    from ecotone.orchestration.placement.problem import Problem

__all__ = ["CHEAPEST", "Goal"]

_SAME = 1e-6


class Goal(msgspec.Struct, frozen=True, kw_only=True):
    """The default is the cheapest plan.

    Attributes:
        minimise: the price in EUR/h, moving included, or the power in W.
        price_max_eur_per_h, power_max_w: of the whole plan, moving aside.
        accuracy_min: of every component whose variants have a known accuracy (0 to 1).
        running: the assignments that run now.
        moving_eur_per_h: of each component that does not stay exactly as it runs. What a move costs once, divided by
            the hours for which it pays; it is added to the price.
    """

    minimise: Literal["price", "power"] = "price"
    price_max_eur_per_h: float | None = None
    power_max_w: float | None = None
    accuracy_min: float | None = None
    running: tuple[Assignment, ...] = ()
    moving_eur_per_h: float = 0.0

    @property
    def has_limits(self) -> bool:
        return any(each is not None for each in (self.price_max_eur_per_h, self.power_max_w, self.accuracy_min))

    @property
    def limits(self) -> str:
        """In words."""
        found = [
            (self.price_max_eur_per_h, "costs at most {:.6g} EUR/h"),
            (self.power_max_w, "takes at most {:.6g} W"),
            (self.accuracy_min, "is accurate to at least {:.3g}"),
        ]
        return " and ".join(text.format(limit) for limit, text in found if limit is not None)

    def moved(self, rows: Iterable[Assignment]) -> tuple[str, ...]:
        """The components of an assignment that ran before, and are not where they ran."""
        now = _by_component(rows)
        return tuple(name for name, before in _by_component(self.running).items() if now.get(name, before) != before)

    def value_of(self, judged: Evaluation) -> float:
        """What is minimised: EUR/h or W."""
        if self.minimise == "power":
            return judged.power_w
        return judged.cost_eur_per_h + self.moving_eur_per_h * len(self.moved(judged.assignments))

    def violations(self, problem: Problem, judged: Evaluation) -> list[Violation]:
        """The limits of the goal that a judged assignment breaks."""
        from ecotone.orchestration.placement.evaluate import Violation  # noqa: PLC0415  (it knows this module)

        found: list[Violation] = []
        for what, limit, value, unit in (
            ("price", self.price_max_eur_per_h, judged.cost_eur_per_h, "EUR/h"),
            ("power", self.power_max_w, judged.power_w, "W"),
        ):
            if limit is not None and value > limit + _SAME:
                message = f"the plan takes {value:.6g} {unit}, at most {limit:.6g} {unit} is allowed"
                name = problem.application.name
                found.append(Violation(subject=name, what=what, message=message, limit=limit, value=value))
        return found

    def variants_refused(self, problem: Problem) -> list[tuple[str, str]]:
        """Components and their variants that are known to be less accurate than asked."""
        if self.accuracy_min is None:
            return []
        return [
            (component.name, variant.name)
            for component in problem.components
            for variant in component.variants
            if (accuracy := problem.model.outputs(component.name, variant.name).accuracy) is not None
            and accuracy < self.accuracy_min
        ]


def _by_component(rows: Iterable[Assignment]) -> dict[str, Sequence[Assignment]]:
    found: dict[str, list[Assignment]] = {}
    for row in sorted(rows, key=lambda each: (each.component, each.node)):
        found.setdefault(row.component, []).append(row)
    return dict(found)


CHEAPEST = Goal()
