"""Claim 5: a machine is lost, and the placement that ran is mended, soon and with few components moved."""

from __future__ import annotations

import random
from typing import NamedTuple

import msgspec
from benchmarks.placement._cases import generated, note
from benchmarks.placement._report import Claim, Report, middle, worst

from ecotone.orchestration.placement.system.evaluate import Judgement
from ecotone.orchestration.placement.system.model import Goal, System
from ecotone.orchestration.placement.system.search import Found, Progress, search

__all__ = ["run"]

_LIMIT_S = 60.0
_MOVING = 0.01
"""What it costs to move a component, as a share of the price of all."""


class _Mended(NamedTuple):
    """`usable_s`, `best_s`: when the first and the best placement were known; proven at `found.wall_s`."""

    lost: str
    found: Found
    usable_s: float
    best_s: float
    moved: int
    moved_anew: int


def run(*, quick: bool) -> list[Report]:
    rows, mended = [], []
    for case in generated(*((7, 1) if quick else (15, 10))):
        running = search(case.system, time_limit_s=_LIMIT_S).best
        each = None if running is None else _mended(case.system, running)
        if running is None or each is None:
            note(f"{case.name}: nothing can be lost")
            continue
        mended.append(each)
        dearer = each.found.best.price_eur_per_h / running.price_eur_per_h - 1.0 if each.found.best else None
        rows.append(
            (case.name, each.lost, each.usable_s, each.best_s, each.found.wall_s, each.moved, each.moved_anew, dearer)
        )
        note(f"{case.name}: {each.lost} lost, proven in {each.found.wall_s:.2f} s, {each.moved} moved")
    usable_s, best_s = [each.usable_s for each in mended], [each.best_s for each in mended]
    walls_s = [each.found.wall_s for each in mended]
    moved, anew = sum(each.moved for each in mended), sum(each.moved_anew for each in mended)
    return [
        Report(
            "A machine is lost",
            ("system", "lost", "usable s", "best s", "proven s", "moved", "moved if planned anew", "dearer"),
            rows,
            (
                Claim("a re-plan that keeps all bounds known < 1 s", _times(usable_s), worst(usable_s) < 1.0),
                Claim("best re-plan known < 1 s", _times(best_s), worst(best_s) < 1.0),
                Claim("re-plan proven < 1 s, median", _times(walls_s), middle(walls_s) < 1.0),
                Claim("re-plan proven < 1 s, worst", _times(walls_s), worst(walls_s) < 1.0),
                Claim("fewer moved than if planned anew", f"{moved} instead of {anew}", moved < anew),
            ),
        )
    ]


def _times(values_s: list[float]) -> str:
    return f"median {middle(values_s):.2f} s, worst {worst(values_s):.2f} s"


def _mended(system: System, running: Judgement) -> _Mended | None:
    """After the loss of a machine that is used, a random one without which there is a placement; None: of none."""
    lasting = [use for use in running.uses if use.busy > 0.0]
    random.Random(system.name).shuffle(lasting)
    for use in lasting:
        left = _without(system, use.resource, use.copies - 1)
        price = _MOVING * running.price_eur_per_h
        moving = {component.name: price for component in system.components}
        goal = Goal(running=running.placement, moving_eur_per_h=moving)
        course: list[Progress] = []
        found = search(left, goal, start=running.placement, time_limit_s=_LIMIT_S, progress=course.append)
        if found.best is None:
            continue
        anew = search(left, time_limit_s=_LIMIT_S).best
        known = [(each.value, each.wall_s) for each in course if each.value is not None]
        return _Mended(
            lost=f"{use.resource} ({use.copies} to {use.copies - 1})",
            found=found,
            usable_s=known[0][1],
            best_s=min(known)[1],
            moved=len(goal.moved(found.best.placement)),
            moved_anew=0 if anew is None else len(goal.moved(anew.placement)),
        )
    return None


def _without(system: System, name: str, copies: int) -> System:
    """Only so many copies of a resource are left; none where others of its kind are spare."""
    return msgspec.structs.replace(
        system,
        resources=tuple(
            msgspec.structs.replace(each, copies_max=copies) if each.name == name else each for each in system.resources
        ),
    )
