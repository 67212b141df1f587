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
    from ecotone.orchestration.placement.system.questions import Conflict, Front
    from ecotone.orchestration.placement.system.search import Found
    from ecotone.session.systems import Partition, SystemFront, SystemLoad, SystemPlan

__all__ = ["SearchLine", "front_view", "load_view", "system_view"]

_STYLES = {"edge": "edge", "vm": "cloud", "serverless": "cloud"}
_KINDS = {"edge": "edge", "vm": "VM", "serverless": "function"}
_NEARLY_FULL = 0.85


class SearchLine:
    """How far a search is, on one line of `stream` that goes when it is closed."""

    def __init__(self, stream: TextIO, unit: str = "EUR/h") -> None:
        self._unit = unit
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
        """`value`, in the unit, is that of the best placement so far; none costs less than `lower_bound`."""
        state = f"no placement yet, none below {lower_bound:.4f} {self._unit}"
        if value is not None:
            gap = max(0.0, value - lower_bound) / value if value else 0.0
            state = f"{value:.4f} {self._unit}, none below {lower_bound:.4f}, gap {gap * 100:.2g} %"
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
    if plan.conflict is not None:
        rows += _conflict(plan.conflict)
    rows.append(block(*_verdict(plan)))
    return Group(*rows)


def _conflict(conflict: Conflict) -> Iterator[RenderableType]:
    """What contradicts what, and what would help."""
    if not conflict.items:
        yield block(Text("not even without any bound and rule: there is too little of what is given", style="broken"))
        return
    if len(conflict.items) == 1:
        yield block(Text("nothing there can keep this", style="bold"), *_sentences(conflict))
    else:
        title = "these cannot hold together" + ("" if conflict.minimal else ", perhaps fewer of them")
        yield block(Text(title, style="bold"), *_sentences(conflict))
    if conflict.relaxations:
        yield block(Text("any one of these helps, the smallest change first", style="bold"), *_changes(conflict))


def _sentences(conflict: Conflict) -> Iterator[Text]:
    for each in conflict.items:
        yield Text(f"× {each.sentence}", style="broken")  # noqa: RUF001


def _changes(conflict: Conflict) -> Iterator[Text]:
    for each in conflict.relaxations:
        price = (
            f"{each.price_eur_per_h:.4f} EUR/h" if each.price_proven else f"at most {each.price_eur_per_h:.4f} EUR/h"
        )
        yield Text.assemble(("→ ", "kept"), each.sentence, (f"  {price}", "quiet"))


def front_view(found: SystemFront, width: int) -> RenderableType:
    """The compromises, the cheapest first, for a terminal of `width` columns."""
    front = found.front
    load = rate_text(next(iter(found.system.rates_per_s.values())))
    rows: list[RenderableType] = [
        heading(found.file),
        Text(f"{load} enter, {found.semantics} semantics", style="quiet"),
    ]
    if front.points:
        rows.append(block(_front_table(front, width)))
    count = count_text(len(front.points), "compromise", "compromises")
    if front.complete:
        text = Text.assemble((f"{count} between price and {front.by}", "bold"), "  ", ("proven: all there are", "kept"))
        if not front.points:
            text = Text("no placement keeps every bound", style="broken")
    else:
        why = "interrupted" if found.interrupted else "the time was up"
        text = Text.assemble((f"{count} between price and {front.by}", "bold"), "  ", (f"{why}: not all", "close"))
    text.append(f"  in {time_text(front.wall_s)}", style="quiet")
    rows.append(block(text))
    return Group(*rows)


def _front_table(front: Front, width: int) -> Table:
    table = plain_table()
    table.add_column("EUR/h", justify="right", no_wrap=True)
    table.add_column("W" if front.by == "power" else "accuracy", justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    table.add_column("proof", no_wrap=True)
    table.add_column("resources", max_width=max(12, width - 60))
    others = [each.power_w if front.by == "power" else each.accuracy or 0.0 for each in front.points]
    for each, other in zip(front.points, others, strict=True):
        taken = [
            use.resource if use.copies <= 1 else f"{use.copies} {use.resource}" for use in each.judged.uses
        ]  # fmt: skip
        table.add_row(
            f"{each.price_eur_per_h:.4f}",
            f"{other:.2f}" if front.by == "power" else f"{other:.4g}",
            budget_bar(other, max(others), 16),
            Text("proven", style="kept") if each.proven else Text("found", style="close"),
            Text(", ".join(taken), style="quiet"),
        )
    return table


def load_view(load: SystemLoad, width: int) -> RenderableType:
    """The largest load, for a terminal."""
    found = load.found
    whose = "any placement" if load.solution is None else load.solution
    rows: list[RenderableType] = [heading(load.file), Text(f"{whose}, {load.semantics} semantics", style="quiet")]
    entries = len(load.system.rates_per_s)
    if found.load_per_s is None or found.judged is None:
        rows.append(block(Text("no load was found that keeps every bound", style="broken")))
        return Group(*rows)
    text = Text.assemble((f"{found.load_per_s / entries:.6g} requests per second", "bold"), "  ")
    if found.impossible_per_s is None:
        text.append("more may be possible", style="close")
    else:
        style = "kept" if found.proven else "close"
        text.append(f"proven: not {found.impossible_per_s / entries:.6g}", style=style)
    text.append(f"  {found.judged.price_eur_per_h:.4f} EUR/h  in {time_text(found.wall_s)}", style="quiet")
    rows.append(block(text))
    tightest = max(found.judged.bounds, key=lambda each: each.time_s / each.limit_s, default=None)
    if tightest is not None:
        spare = f"{tightest.bound} takes {time_text(tightest.time_s)} of {time_text(tightest.limit_s)}"
        rows.append(Text(f"tightest bound there: {spare}", style="quiet"))
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
    unit = "EUR/h"
    if plan.objective == "power":
        unit = "W"
        text = Text.assemble((f"{judged.power_w:.2f} W", "bold"), f"  {judged.price_eur_per_h:.4f} EUR/h  ")
    elif plan.running is not None:
        text.append(f"+ {plan.moving_eur_per_h:.4f} for moving  ", style="quiet")
    proof = "proven optimal" if found.optimal else f"best found, gap {found.gap * 100:.2g} %"
    text.append(proof, style="kept" if found.optimal else "close")
    if not found.optimal:
        text.append(
            f"  none {'takes' if unit == 'W' else 'costs'} less than {found.lower_bound:.4f} {unit}", style="quiet"
        )
    text.append(f"  in {time_text(found.wall_s)}", style="quiet")
    yield text
    if plan.running is not None:
        yield Text(f"moved: {', '.join(plan.moved) or 'nothing'}" + _lost(plan))
    if plan.interrupted:
        yield Text("interrupted: with more time there may be a cheaper one", style="close")


def _lost(plan: SystemPlan) -> str:
    return f"  (what ran it is gone: {', '.join(plan.lost)})" if plan.lost else ""


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
