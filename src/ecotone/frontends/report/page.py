"""The page: sections in the order in which a person asks. Called by `write_report`; everything here is text of values.

Was everything kept? Where did it run? How long did it take? What did it cost, and what was spared? What went wrong?
"""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

from ecotone._version import __version__
from ecotone.core.errors import MissingExtraError
from ecotone.frontends.report import plots
from ecotone.frontends.report.markup import Html, join, table, tag
from ecotone.frontends.report.outputs import outputs_section
from ecotone.frontends.report.picture import plan_picture
from ecotone.frontends.report.sections import (
    components_table,
    cost_table,
    events_table,
    layers_section,
    paths_table,
    promises_table,
    tiles,
)
from ecotone.frontends.words import elapsed_text, promises_in_words, proof_text

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ecotone.core.report import RunReport

__all__ = ["page"]


def page(report: RunReport, folder: Path) -> str:
    """The whole document. It needs no network; `folder` holds the run's outputs."""
    name = report.application.name
    body = tag("main", *_sections(report, folder))
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("title", f"{name} on {report.continuum.name}: {promises_in_words(report)[0]}"),
        tag("style", Html(_style())),
    )
    return "<!doctype html>\n" + tag("html", head, tag("body", body), lang="en") + "\n"


def _style() -> str:
    here = files("ecotone.frontends.report")
    return (here / "colours.css").read_text() + (here / "page.css").read_text()


def _sections(report: RunReport, folder: Path) -> list[Html]:
    parts = [
        _head(report),
        tiles(report),
        _section(
            "Where everything ran",
            tag("figure", plan_picture(report.plan, report.application, report.continuum, report), class_="plan"),
            tag("p", _plan_words(report), class_="soft"),
        ),
        _section("What was promised", promises_table(report)),
    ]
    if report.paths:
        parts.append(_section("Paths", paths_table(report), _plot(lambda: plots.latency_plot(report))))
    parts.append(_section("Components", components_table(report)))
    parts.append(_section("Over time", _plot(lambda: plots.timeline_plot(report))))
    if report.layers:
        parts.append(_section("Edge against cloud", layers_section(report)))
    parts.append(_section("Cost and energy", cost_table(report)))
    if report.outputs:
        parts.append(_section("What the application wrote", outputs_section(report.outputs, folder)))
    parts.append(_section("What happened", events_table(report)))
    parts.append(_section("What these figures rest on", _notes(report)))
    parts.append(_foot(report))
    return parts


def _section(title: str, *content: object) -> Html:
    return tag("section", tag("h2", title), *content)


def _head(report: RunReport) -> Html:
    sentence, good = promises_in_words(report)
    emulated = tag("span", "EMULATED", class_="label") if report.continuum.emulated else ""
    when = report.started_at.replace("T", " ")[:19]
    lost = "nothing was lost" if report.lost == 0 else f"{report.lost} items were lost"
    good = good and report.lost == 0
    parts: list[Html] = [
        tag("header", tag("h1", report.application.name, tag("small", f" on {report.continuum.name}")), emulated),
        tag("div", f"{when} · {elapsed_text(report.duration_s)} · run {report.run}", class_="soft"),
        tag(
            "div",
            sentence[0].upper() + sentence[1:],
            tag("span", f"{lost}; predicted, promised and measured figures are below"),
            class_="verdict" if good else "verdict bad",
        ),
    ]
    if not report.valid:
        why = f"Overloaded: {', '.join(report.overloaded)}. The times below hang on how long the run was."
        if report.saturated or not report.overloaded:
            why = "This machine's cores were saturated: the times below say nothing about the emulated continuum."
        parts.append(tag("div", why, class_="verdict warn"))
    return join(*parts)


def _plan_words(report: RunReport) -> str:
    plan = report.plan
    words = f"The plan is {proof_text(plan)}, found in {plan.wall_s:.2g} s."
    if plan.groups:
        words += " Fused into one host each: " + "; ".join(" + ".join(group) for group in plan.groups) + "."
    return words + " A bar is green where a component kept its promise, red where not, grey where it made none."


def _plot(make: Callable[[], Html | None]) -> Html:
    """A plot, or what to install to get it, or that there is nothing to plot."""
    try:
        svg = make()
    except MissingExtraError as error:
        return tag("p", f"There is no plot: {error}; then: ecotone report APP --render", class_="soft")
    if svg is None:
        return tag("p", "Too little was measured for a plot.", class_="soft")
    return tag("figure", svg)


def _notes(report: RunReport) -> Html:
    notes = [*report.notes, *report.plan.notes]
    if report.continuum.emulated:
        notes.append(
            "Emulated: every site of this continuum was played by processes of one machine. Compute time is stretched "
            "to each node's declared speed, and what crosses a link is delayed and limited as the link declares."
        )
    notes.append(
        "Energy is an estimate from the power that the continuum file declares, and the share of time that cores "
        "were busy. Cost is the price of nodes that host something, and of bytes over links."
    )
    settings = table(("parameter", "value"), [(name, str(value)) for name, value in report.plan.parameters.items()])
    return join(
        tag("ul", *(tag("li", each) for each in dict.fromkeys(notes))),
        settings if report.plan.parameters else "",
    )


def _foot(report: RunReport) -> Html:
    files_of_run = (("report.json", "this report as data"), ("record.json", "the whole record"), ("logs", "logs"))
    links = [join(" · ", tag("a", label, href=target)) for target, label in files_of_run]
    return tag("footer", f"Ecotone {__version__} · plan {report.plan.fingerprint[:16]}", *links)
