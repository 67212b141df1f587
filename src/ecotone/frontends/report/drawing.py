"""How the plots of reports are drawn by matplotlib: SVG whose colours are CSS variables, so that they follow light and
dark. Used by `plots` and `model_plots`; matplotlib is the extra `report`.
"""

from __future__ import annotations

import io
import logging
import re
from importlib.resources import files
from typing import Any

from ecotone.core.errors import MissingExtraError
from ecotone.frontends.report.markup import Html

__all__ = ["STAND_INS", "WIDTH_IN", "finish", "matplotlib_parts", "rules"]

# matplotlib knows colours, not CSS variables: each variable has a stand-in that is exchanged in the finished SVG.
STAND_INS = {
    "ink": "#010203",
    "soft": "#010204",
    "line": "#010205",
    "kept": "#010206",
    "broken": "#010207",
    "close": "#010208",
    **{f"s{number}": f"#01021{number}" for number in range(1, 9)},
}
WIDTH_IN = 10.0
_FONTS = "system-ui, -apple-system, 'Segoe UI', Roboto, Arial, sans-serif"


def rules() -> dict[str, Any]:
    ink, soft, line = STAND_INS["ink"], STAND_INS["soft"], STAND_INS["line"]
    return {
        "svg.fonttype": "none",
        "svg.hashsalt": "ecotone",
        "font.family": ["sans-serif"],
        "font.size": 10,
        "text.color": ink,
        "axes.edgecolor": line,
        "axes.labelcolor": soft,
        "axes.titlecolor": ink,
        "axes.titlesize": 10.5,
        "axes.titleweight": "semibold",
        "axes.titlelocation": "left",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.facecolor": "none",
        "figure.facecolor": "none",
        "xtick.color": soft,
        "ytick.color": soft,
        "axes.grid": True,
        "grid.color": line,
        "grid.linewidth": 0.7,
        "axes.axisbelow": True,
        "legend.frameon": False,
        "legend.fontsize": 9,
        "lines.linewidth": 1.7,
    }


def matplotlib_parts() -> tuple[Any, Any]:
    """The package and its Figure class, without pyplot: no window system, no global state.

    Raises:
        MissingExtraError: it is not installed.
    """
    logging.getLogger("matplotlib").setLevel(logging.ERROR)  # an unwritable home is no news for a report
    try:
        import matplotlib as package  # noqa: PLC0415 - an extra
        from matplotlib.figure import Figure  # noqa: PLC0415
    except ImportError:
        raise MissingExtraError("matplotlib", "report") from None
    return package, Figure


def finish(figure: Any, *, salt: str, alone: bool) -> Html:
    """The figure as an SVG element; `salt` keeps the ids of several figures on one page apart."""
    stream = io.StringIO()
    figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None}, transparent=True)
    svg = stream.getvalue()
    svg = svg[svg.index("<svg") :]
    for name, colour in STAND_INS.items():
        svg = svg.replace(colour, f"var(--{name})")
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"font-family: [^;\"]*", f"font-family: {_FONTS}", svg)
    svg = re.sub(r"(\bid=\"|url\(#|href=\"#)", rf"\g<1>{salt}-", svg)
    svg = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", svg, count=1)
    svg = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", svg, count=1)
    if alone:
        colours = (files("ecotone.frontends.report") / "colours.css").read_text()
        svg = re.sub(
            r"(<svg[^>]*>)",
            lambda match: f'{match[1]}<style>{colours}</style><rect width="100%" height="100%" fill="var(--panel)"/>',
            svg,
            count=1,
        )
    return Html(svg)
