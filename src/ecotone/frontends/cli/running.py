"""`ecotone run`: the way from an application to its report. Loaded by `app` when it is called.

This is the path on which every millisecond before the first item counts: rich is imported only when there is something
to draw, matplotlib only when the run has ended.
"""
# ruff: noqa: PLC0415 - what a command does not need is not imported: it must start quickly

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from ecotone.core.report import report_document
from ecotone.frontends.cli.goal_options import ConfidenceOption
from ecotone.frontends.cli.options import (
    AppArgument,
    ContinuumOption,
    Duration,
    JsonOption,
    SetOption,
    settings,
)
from ecotone.frontends.cli.output import Output, write_document
from ecotone.frontends.cli.planning import FuseOption, PlanOption, TimeLimitOption, plan_picture, read_plan
from ecotone.frontends.cli.profiling import profile_progress
from ecotone.frontends.cli.stopping import stopping
from ecotone.frontends.cli.watching import Watcher

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import RenderableType

    from ecotone.core.plan import Plan
    from ecotone.core.report import RunReport
    from ecotone.session import Session

__all__ = ["run", "status_of"]

ForOption = Annotated[
    Duration | None, Parameter(name="--for", help='How long, for example "30s" or "5 min"; without it, to its end.')
]
BusOption = Annotated[
    str | None,
    Parameter(
        metavar="URL",
        env_var="ECOTONE_BUS_URL",
        help="Use this NATS server, nats://[TOKEN@]HOST[:PORT], which needs JetStream; the run leaves nothing there.",
    ),
]
LiveOption = Annotated[
    bool, Parameter(name="--live", negative="--no-live", help="Show a live picture (on a terminal, by default).")
]


def run(
    app: AppArgument,
    /,
    *,
    continuum: ContinuumOption = None,
    set_: SetOption = (),
    for_: ForOption = None,
    plan: PlanOption = None,
    dry_run: bool = False,
    inline: bool = False,
    fuse: FuseOption = False,
    confidence: ConfidenceOption = None,
    resume: bool = False,
    bus_url: BusOption = None,
    time_limit: TimeLimitOption = 30.0,
    live: LiveOption = True,
    strict: bool = False,
    json: JsonOption = False,
) -> int:
    """Profile and plan if needed, then run it and report.

    Ctrl-C ends the run and writes its report; a second one kills it. Exit status: 0 it ran, 1 an item was lost or a
    component failed for good, 2 the input is wrong. A broken promise is a result, shown in red; with --strict it is
    status 1.

    Example: `ecotone run hello --for 20s --set limit=25`

    Args:
        dry_run: Only say what would be different from the last run.
        inline: Everything in this process, for a debugger; nothing is emulated.
        resume: Go on with what the last run had accepted and not finished.
        strict: Exit with status 1 if a promise was broken or an item was given up.
    """
    from ecotone.session import Session

    output = Output(json=json)
    session = Session(app, continuum=continuum, parameters=settings(set_))
    bus_url = bus_url or None  # an empty variable is none
    if bus_url is not None and not (inline or dry_run):
        session.check_bus(bus_url)
    if plan is not None:
        chosen = read_plan(plan)
    else:
        with profile_progress() as progress:
            chosen = session.plan(
                time_limit_s=time_limit, fuse=fuse, confidence=confidence or "upper", progress=progress
            )
    if dry_run:
        return _dry_run(session, chosen, output)
    watcher = Watcher(live=live and output.interactive, for_s=for_)
    with stopping(watcher.stopping) as stop:
        with watcher, redirect_stdout(sys.stderr if json else sys.stdout):  # inline, components print here
            report = session.run(
                chosen,
                for_s=for_,
                bus_url=bus_url,
                resume=resume,
                inline=inline,
                on_snapshot=watcher.show,
                stop=stop,
            )
        page = _write(report, session.state_folder / "runs" / report.run, output)
    _show(report, page, output)
    return status_of(report, strict=strict)


def _dry_run(session: Session, plan: Plan, output: Output) -> int:
    from ecotone.core.plan import plan_document

    differences = session.differences(plan)
    if output.json:
        write_document({"plan": plan_document(plan), "differences": differences})
        return 0
    from rich.console import Group

    from ecotone.frontends.terminal.plan import differences_view

    output.show(lambda width: Group(plan_picture(session, plan, width), differences_view(differences)), dict)
    return 0


def _write(report: RunReport, folder: Path, output: Output) -> Path | None:
    """Write the report; a full disk costs the page, not the summary."""
    from ecotone.frontends.report import write_report

    try:
        return write_report(report, folder)
    except OSError as error:
        output.say(f"warning: the report could not be written: {error}")
        return None


def _show(report: RunReport, page: Path | None, output: Output) -> None:
    def picture(width: int) -> RenderableType:
        from ecotone.frontends.terminal.summary import summary_view

        return summary_view(report, width, page)

    output.show(picture, lambda: report_document(report))


def status_of(report: RunReport, *, strict: bool) -> int:
    """0 when the run did what was asked: nothing lost, no component given up (and, if strict, every promise kept)."""
    if report.lost or any(each.phases.get("failed") for each in report.components):
        return 1
    broken = any(each.kept is False for each in (*report.components, *report.paths))
    given_up = any(each.dead for each in report.components)
    return 1 if strict and (broken or given_up) else 0
