"""The pictures of the README and the docs, from a real run: `python docs/pictures/make.py RUN_FOLDER [--into FOLDER]`.

RUN_FOLDER is `.ecotone/runs/<run>` of an application: its `record.json` holds the run with its plan. Written are

    plan.svg       the terminal's picture of `ecotone plan`
    run.svg        the live view of `ecotone run`, at half time
    summary.svg    what `ecotone run` prints at its end
    continuum.svg  where every component ran
    latency.svg    the distribution of each promised path   (with the extra `report`)
    timeline.svg   paths, components and rates over time    (with the extra `report`)

All are SVG that follows light and dark and names nothing outside of itself.
"""

from __future__ import annotations

import argparse
import io
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from rich.console import Console
from rich.terminal_theme import TerminalTheme

from ecotone.frontends.report import plots, read_record
from ecotone.frontends.report.picture import plan_picture
from ecotone.frontends.terminal.live import live_view
from ecotone.frontends.terminal.plan import plan_view
from ecotone.frontends.terminal.style import THEME
from ecotone.frontends.terminal.summary import summary_view
from ecotone.frontends.words import since_start_s

if TYPE_CHECKING:
    from rich.console import RenderableType

    from ecotone.core.report import RunReport

WIDTH = 104
_DARK, _PALE, _WHITE = (22, 27, 29), (222, 228, 227), (255, 255, 255)
_NORMAL = [_DARK, (240, 113, 120), (120, 200, 140), (224, 176, 74), (120, 165, 240), (190, 140, 220), (90, 195, 205)]
_BRIGHT = [(105, 116, 119), (255, 138, 128), (140, 215, 160), (240, 195, 100), (140, 180, 250), (205, 160, 235)]
COLOURS = TerminalTheme(_DARK, _PALE, [*_NORMAL, _PALE], [*_BRIGHT, (110, 210, 220), _WHITE])
FRAME = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">
<style>
.{unique_id}-matrix {{ font-family: ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace;
  font-size: {char_height}px; line-height: {line_height}px; font-variant-east-asian: full-width; }}
.{unique_id}-title {{ font: 600 15px system-ui, -apple-system, "Segoe UI", Roboto, Arial, sans-serif; }}
{styles}
</style>
<defs><clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" /></clipPath>{lines}</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">{matrix}</g>
</g>
</svg>
"""


def terminal(picture: RenderableType, command: str) -> str:
    """What a terminal of `WIDTH` columns shows after `command`."""
    recorder = Console(
        record=True,
        width=WIDTH,
        theme=THEME,
        file=io.StringIO(),
        force_terminal=True,
        color_system="truecolor",
        highlight=False,
    )
    recorder.print(picture)
    return recorder.export_svg(title=command, theme=COLOURS, code_format=FRAME, unique_id="terminal")


def at_half_time(report: RunReport) -> RunReport:
    """The run as it was in its middle, as far as the record knows: time, history and events; totals are scaled."""
    half = report.duration_s / 2
    components = tuple(
        msgspec.structs.replace(each, count=each.count // 2, emitted=each.emitted // 2) for each in report.components
    )
    return msgspec.structs.replace(
        report,
        finished=False,
        duration_s=half,
        cost_eur=report.cost_eur / 2,
        components=components,
        timeline=tuple(point for point in report.timeline if point.time_s <= half),
        events=tuple(each for each in report.events if since_start_s(report, each) <= half),
    )


def main() -> None:
    """Write every picture that the record has figures for."""
    parser = argparse.ArgumentParser(description="Pictures of a run, as SVG.")
    parser.add_argument("run", type=Path, help="the folder of a run: APP/.ecotone/runs/RUN")
    parser.add_argument("--into", type=Path, default=Path(__file__).parent)
    arguments = parser.parse_args()
    report = read_record(arguments.run)
    name, plan = report.application.name, report.plan
    half = at_half_time(report)
    pictures: dict[str, str | None] = {
        "plan": terminal(plan_view(plan, report.application, report.continuum, WIDTH), f"ecotone plan {name}"),
        "run": terminal(live_view(half, WIDTH, 44, report.duration_s), f"ecotone run {name}"),
        "summary": terminal(summary_view(report, WIDTH), f"ecotone run {name}"),
        "continuum": plan_picture(plan, report.application, report.continuum, report, alone=True),
        "latency": plots.latency_plot(report, alone=True),
        "timeline": plots.timeline_plot(report, alone=True),
    }
    arguments.into.mkdir(parents=True, exist_ok=True)
    for each, svg in pictures.items():
        if svg is not None:
            (arguments.into / f"{each}.svg").write_text(svg, encoding="utf-8")


if __name__ == "__main__":
    main()
