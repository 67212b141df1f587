"""A placed system as tables: what is taken, where partitions run, every bound; and the line that shows a search."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, TextIO

from rich.console import Group
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.text import Text

from ecotone.frontends.terminal.style import block, budget_bar, console, heading, plain_table, promise_text, widest
from ecotone.frontends.words import NOTHING, arrows, count_text, percent_text, rate_text, size_text, time_text
from ecotone.session.systems import partitions_of, serverless_prices

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import RenderableType
    from rich.table import Table

    from ecotone.orchestration.placement.system.evaluate import Judgement, ResourceUse
    from ecotone.orchestration.placement.system.model import Bound, Resource
    from ecotone.orchestration.placement.system.search import Found
    from ecotone.session.systems import Partition, SystemPlan

__all__ = ["SearchLine", "system_view"]

_STYLES = {"edge": "edge", "vm": "cloud", "serverless": "cloud"}
_KINDS = {"edge": "edge", "vm": "VM", "serverless": "function"}
_NEARLY_FULL = 0.85


class SearchLine:
    """How far a search is, on one line of `stream` that goes when it is closed."""

    def __init__(self, stream: TextIO) -> None:
        self._bar = Progress(
            SpinnerColumn(),
            TextColumn("searching", style="bold"),
            TextColumn("{task.fields[state]}"),
            TimeElapsedColumn(),
            console=console(stream),
            transient=True,
            refresh_per_second=5,
        )
        self._task = self._bar.add_task("search", total=None, state="no placement yet")
        self._bar.start()

    def update(self, value: float | None, lower_bound: float) -> None:
        """`value`, in EUR/h, is that of the best placement so far; none costs less than `lower_bound`."""
        state = f"no placement yet, none below {lower_bound:.4f} EUR/h"
        if value is not None:
            gap = max(0.0, value - lower_bound) / value if value else 0.0
            state = f"{value:.4f} EUR/h, none below {lower_bound:.4f}, gap {gap * 100:.2g} %"
        self._bar.update(self._task, state=state)

    def close(self) -> None:
        self._bar.stop()


def system_view(plan: SystemPlan, width: int) -> RenderableType:
    """Everything for a terminal of `width` columns; narrow ones see no layers and memory."""
    details = f"{rate_text(plan.load_per_s)} enter, {plan.semantics} semantics"
    rows: list[RenderableType] = [heading(plan.file), Text(details, style="quiet")]
    judged = plan.judged
    if judged is not None and judged.uses:
        rows += [
            block(widest(width - 1, *(_resources(plan, judged, wide=wide) for wide in (True, False)))),
            block(widest(width - 1, *(_components(plan, judged, wide=wide) for wide in (True, False)))),
        ]
    if judged is not None and judged.bounds:
        rows.append(block(_bounds(plan, judged, width)))
    if judged is not None and not judged.feasible:
        rows.append(block(*(Text(f"× {each.message}", style="broken") for each in judged.violations)))  # noqa: RUF001
    rows.append(block(*_verdict(plan)))
    return Group(*rows)


def _resources(plan: SystemPlan, judged: Judgement, *, wide: bool) -> Table:
    table = plain_table()
    table.add_column("resource", style="name", no_wrap=True, max_width=24)
    table.add_column("kind", no_wrap=True)
    if wide:
        table.add_column("layer", no_wrap=True, max_width=24)
    table.add_column("copies", justify="right", no_wrap=True)
    table.add_column("busy", justify="right", no_wrap=True)
    if wide:
        table.add_column("memory", justify="right", no_wrap=True)
    table.add_column("EUR/h", justify="right", no_wrap=True)
    resources = {resource.name: resource for resource in plan.system.resources}
    prices = serverless_prices(plan)
    for use in judged.uses:
        resource = resources[use.resource]
        price = prices[resource.name] if resource.kind == "serverless" else use.price_eur_per_h
        memory = Text(size_text(use.memory_bytes))
        memory.append(f" of {size_text(resource.memory_bytes * max(1, use.copies))}", style="quiet")
        table.add_row(
            Text(resource.name),
            Text(_KINDS[resource.kind], style=_STYLES[resource.kind]),
            *([Text(resource.layer, style="quiet")] if wide else []),
            *_share(resource, use),
            *([memory] if wide else []),
            f"{price:.4f}",
        )
    return table


def _share(resource: Resource, use: ResourceUse) -> tuple[RenderableType, RenderableType]:
    """Copies, and how busy each is; neither is known of a function, which has as many as are needed."""
    if resource.kind == "serverless":
        return NOTHING, NOTHING
    copies = Text(str(use.copies))
    copies.append(f" of {resource.copies_max}", style="quiet")
    style = "broken" if use.busy >= 1 else "close" if use.busy > _NEARLY_FULL else ""
    return copies, Text(percent_text(use.busy), style=style)


def _components(plan: SystemPlan, judged: Judgement, *, wide: bool) -> Table:
    table = plain_table()
    table.add_column("component", style="name", no_wrap=True, max_width=24)
    table.add_column("deployment", no_wrap=True, max_width=14)
    table.add_column("takes", justify="right", no_wrap=True)
    table.add_column("partition", no_wrap=True, max_width=16)
    table.add_column("on", no_wrap=True, max_width=24)
    if wide:
        table.add_column("rate", justify="right", no_wrap=True)
    table.add_column("takes", justify="right", no_wrap=True)
    kinds = {resource.name: resource.kind for resource in plan.system.resources}
    for name, partitions in partitions_of(plan).items():
        first = (Text(name), Text(judged.placement.deployments[name]), _time(judged.times_s[name]))
        for at, each in enumerate(partitions):
            table.add_row(*(first if at == 0 else ("", "", "")), *_cells(each, kinds[each.resource], wide))
    return table


def _cells(each: Partition, kind: str, wide: bool) -> Iterator[RenderableType]:
    yield Text(each.partition)
    yield Text(each.resource, style=_STYLES[kind])
    if wide:
        yield rate_text(each.rate_per_s)
    yield _time(each.time_s)


def _time(value_s: float) -> Text:
    return Text(time_text(value_s)) if math.isfinite(value_s) else Text("for ever", style="broken")


def _bounds(plan: SystemPlan, judged: Judgement, width: int) -> Table:
    table = plain_table()
    table.add_column("bound", style="name", max_width=max(20, width - 58))
    table.add_column("takes", justify="right", no_wrap=True)
    table.add_column("allowed", justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    table.add_column("spare", justify="right", no_wrap=True)
    by_name = {bound.name: bound for bound in plan.system.bounds}
    for each in judged.bounds:
        is_over = each.time_s > each.limit_s
        table.add_row(
            _bound_name(by_name[each.bound]),
            promise_text(each.time_s, each.limit_s) if math.isfinite(each.time_s) else _time(each.time_s),
            time_text(each.limit_s),
            budget_bar(min(each.time_s, 2 * each.limit_s), each.limit_s, max(10, min(24, width - 60))),
            Text("over", style="broken") if is_over else time_text(each.limit_s - each.time_s),
        )
    return table


def _bound_name(bound: Bound) -> Text:
    if len(bound.components) == 1:
        return Text(bound.name)
    return Text.assemble(f"{bound.name}  ", (arrows(bound.components), "not bold"))


def _verdict(plan: SystemPlan) -> Iterator[Text]:
    """The cost and what is known of it, or why there is no placement."""
    judged, found = plan.judged, plan.found
    if judged is None:
        assert found is not None, "what is judged was given"
        yield from _none_found(plan, found)
        return
    text = Text()
    if math.isfinite(judged.price_eur_per_h):
        text.append(f"{judged.price_eur_per_h:.4f} EUR/h", style="bold")
        text.append("  ")
    if found is None:
        broken = len(judged.violations)
        text.append(
            "it keeps every bound and rule"
            if not broken
            else f"it breaks {count_text(broken, 'bound or rule', 'bounds and rules')}",
            style="broken" if broken else "kept",
        )
        yield text
        return
    proof = "proven optimal" if found.optimal else f"best found, gap {found.gap * 100:.2g} %"
    text.append(proof, style="kept" if found.optimal else "close")
    if not found.optimal:
        text.append(f"  none costs less than {found.lower_bound:.4f} EUR/h", style="quiet")
    text.append(f"  in {time_text(found.wall_s)}", style="quiet")
    yield text
    if plan.interrupted:
        yield Text("interrupted: with more time there may be a cheaper one", style="close")


def _none_found(plan: SystemPlan, found: Found) -> Iterator[Text]:
    if found.infeasible:
        yield Text.assemble(
            ("no placement keeps every bound", "broken"), (f"  proven in {time_text(found.wall_s)}", "quiet")
        )
        return
    why = "interrupted" if plan.interrupted else "the time was up"
    yield Text.assemble(
        ("no placement was found", "broken"), f"  {why} after {time_text(found.wall_s)}; there may be one"
    )
    if not plan.interrupted:
        yield Text("give the search more time with --time-limit", style="quiet")
