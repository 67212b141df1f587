"""Claims 1 and 2: every instance is placed provably best, soon; what is known on the way is near that sooner."""

from __future__ import annotations

import math
from typing import NamedTuple

from benchmarks.placement._cases import Case, generated, note, provided
from benchmarks.placement._report import Claim, Report, middle, share, worst

from ecotone.orchestration.placement.system.evaluate import judge
from ecotone.orchestration.placement.system.search import Found, Progress, search

__all__ = ["reports", "run"]

_LIMIT_S = 60.0
_SAME = 1e-6
_EARLY_S, _SOON_S = 0.2, 1.5


class _Run(NamedTuple):
    case: Case
    found: Found
    course: list[Progress]

    @property
    def is_proven(self) -> bool:
        """Optimal by the search, feasible by the evaluator, asked again."""
        best = self.found.best
        return self.found.optimal and best is not None and judge(self.case.system, best.placement).feasible

    @property
    def saving(self) -> float | None:
        """Share of the published solution's price."""
        published = self.case.published_eur_per_h
        return None if published is None else 1.0 - self.found.value / published

    def excess(self, wall_s: float) -> float:
        """Over the best value, as a share of it, after so long."""
        known = [each.value for each in self.course if each.wall_s <= wall_s and each.value is not None]
        return min(known, default=math.inf) / self.found.value - 1.0


def run(*, quick: bool) -> list[Report]:
    cases = [*provided(), *generated(15, 20)]
    return reports(cases[::8] if quick else cases)


def reports(cases: list[Case]) -> list[Report]:
    runs = [_searched(case) for case in cases]
    return [_proofs(runs), _anytime(runs)]


def _searched(case: Case) -> _Run:
    course: list[Progress] = []
    found = search(case.system, time_limit_s=_LIMIT_S, progress=course.append)
    note(f"{case.name}: {found.value:.4f} EUR/h, gap {found.gap:.1%}, {found.wall_s:.2f} s")
    return _Run(case, found, course)


def _kinds(runs: list[_Run]) -> dict[str, list[_Run]]:
    kinds: dict[str, list[_Run]] = {}
    for each in runs:
        kinds.setdefault(each.case.kind, []).append(each)
    return kinds


def _savings(runs: list[_Run]) -> list[float]:
    return [each.saving for each in runs if each.saving is not None]


def _proofs(runs: list[_Run]) -> Report:
    rows = []
    for kind, group in _kinds(runs).items():
        walls_s, savings = [each.found.wall_s for each in group], _savings(group)
        proven, dearer = sum(each.is_proven for each in group), sum(saving < -_SAME for saving in savings)
        mean = sum(savings) / len(savings) if savings else None
        saving = worst(savings) if savings else None
        rows.append((kind, len(group), proven, middle(walls_s), worst(walls_s), len(savings), dearer, mean, saving))
    walls_s, savings = [each.found.wall_s for each in runs], _savings(runs)
    proven, dearer = sum(each.is_proven for each in runs), sum(saving < -_SAME for saving in savings)
    saved = f"{sum(savings) / len(savings):.1%}" if savings else "nothing published here"
    return Report(
        "Proofs",
        ("instances", "cases", "proven", "median s", "worst s", "published", "dearer", "mean saving", "most"),
        rows,
        (
            Claim("all proven optimal and feasible", f"{proven}/{len(runs)}", proven == len(runs)),
            Claim("none dearer than published", f"{dearer} of {len(savings)}", dearer == 0 if savings else None),
            Claim("median time to proof <= 3 s", f"{middle(walls_s):.2f} s", middle(walls_s) <= 3.0),
            Claim("worst time to proof <= 20 s", f"{worst(walls_s):.2f} s", worst(walls_s) <= 20.0),
            Claim("mean saving against published", saved),
        ),
    )


def _anytime(runs: list[_Run]) -> Report:
    """Over what is proven best: of others it is not known how far they are from it."""
    proven = [each for each in runs if each.is_proven]
    early, soon = [each.excess(_EARLY_S) for each in proven], [each.excess(_SOON_S) for each in proven]
    unknown = [False] * (len(runs) - len(proven))
    near_early, near_soon = share([e <= 0.10 for e in early] + unknown), share([e <= 0.02 for e in soon] + unknown)
    rows = [
        (kind, len(group), middle(at_early), worst(at_early), middle(at_soon), worst(at_soon))
        for kind, group in _kinds(proven).items()
        for at_early, at_soon in [([e.excess(_EARLY_S) for e in group], [e.excess(_SOON_S) for e in group])]
    ]
    return Report(
        "Anytime: excess over the optimum",
        ("instances", "cases", "0.2 s median", "worst", "1.5 s median", "worst "),
        rows,
        (
            Claim("within 2 % after 1.5 s on >= 90 %", f"{near_soon:.0%}, worst {worst(soon):.1%}", near_soon >= 0.9),
            Claim(
                "within 10 % after 0.2 s on >= 90 %", f"{near_early:.0%}, worst {worst(early):.1%}", near_early >= 0.9
            ),
            Claim("within 10 % after 0.2 s on all", f"{near_early:.0%}", near_early >= 1.0),
        ),
    )
