"""Plans that an application could have instead, side by side, and how much load it can carry."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from rich.console import Group
from rich.text import Text

from ecotone.core.plan import plan_differences
from ecotone.frontends.terminal.style import block, heading, plain_table, promise_text
from ecotone.frontends.words import NOTHING, percent_text, percentile_text, price_text, reach_text

if TYPE_CHECKING:
    from rich.console import RenderableType

    from ecotone.core.plan import Plan
    from ecotone.orchestration.placement import Frontier, LargestLoad
    from ecotone.orchestration.placement.tradeoffs import Second

__all__ = ["front_view", "largest_load_view"]


def front_view(front: Frontier[Plan], by: Second, width: int) -> RenderableType:
    """A row for each compromise, and what changes from one to the next."""
    plans = [point.answer for point in front.points]
    title = heading(f"{plans[0].application} on {plans[0].continuum}", f"price against {by}")
    table = plain_table()
    table.add_column("", justify="right", style="quiet")
    table.add_column("EUR/h", justify="right", no_wrap=True)
    table.add_column("W", justify="right", no_wrap=True)
    table.add_column("accuracy", justify="right", no_wrap=True)
    for path in plans[0].paths:
        table.add_column(f"{percentile_text(path.percentile)} {path.components[-1]}", justify="right", no_wrap=True)
    table.add_column("proof", no_wrap=True)
    for number, point in enumerate(front.points, start=1):
        plan, accuracy = point.answer, point.answer.least_accuracy
        times = [promise_text(path.predicted_s, path.promised_s, path.judged_s(plan.confidence)) for path in plan.paths]
        proof = Text("none better" if point.proven else "perhaps better", style="kept" if point.proven else "close")
        shown = NOTHING if accuracy is None else f"{accuracy:.3g}"
        table.add_row(str(number), price_text(plan.cost_eur_per_h), f"{plan.power_w:.4g}", shown, *times, proof)
    rows: list[RenderableType] = [title, block(table)]
    changes = [
        Text(f"{number} to {number + 1}: " + "; ".join(_moves(before, after)))
        for number, (before, after) in enumerate(pairwise(plans), start=1)
    ]
    if changes:
        rows.append(block(*changes))
    words = "these are all the compromises there are" if front.complete else "the time was up: there may be others"
    rows.append(block(Text(words, style="kept" if front.complete else "close")))
    return Group(*rows)


def _moves(before: Plan, after: Plan) -> list[str]:
    """What is placed otherwise, without the price, which the table tells."""
    return [each for each in plan_differences(before, after) if not each.startswith("the cost changes")]


def largest_load_view(any_plan: LargestLoad, this: LargestLoad, plan: Plan, width: int) -> RenderableType:
    """How far the load may grow: with the cheapest plan of today, and with the best plan for it."""
    rows: list[RenderableType] = [heading(f"{plan.application} on {plan.continuum}", "how much load it can carry")]
    lines = [_line("the plan of today", this), _line("any plan", any_plan)]
    rows.append(block(*lines))
    best = any_plan.plan
    if best is not None:
        judged_s = [(path.judged_s(best.confidence), path) for path in best.paths]
        slowest = max(judged_s, key=lambda pair: pair[0] / pair[1].promised_s, default=None)
        text = f"a plan for the largest load costs {price_text(best.cost_eur_per_h)} EUR/h"
        if slowest is not None:
            most_s, path = slowest
            share = percent_text(most_s / path.promised_s)
            text += f" or less, and takes {reach_text(path.predicted_s, most_s)} ({share}) of its tightest promise"
        rows.append(block(Text(text, style="quiet")))
    return Group(*rows)


def _line(what: str, found: LargestLoad) -> Text:
    text = Text()
    text.append(f"{what}: ", style="name")
    if found.possible is None:
        text.append("no load was found that it carries", style="broken")
    else:
        text.append(f"{found.possible:.3g} times what its sources bring", style="kept")
    if found.impossible is not None:
        text.append(f"; {found.impossible:.3g} times is too much, proven", style="quiet")
    else:
        text.append("; perhaps more: the time was up", style="close")
    return text
