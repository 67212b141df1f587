"""The report of a performance model: one page that needs no network. Called by `ecotone performance report`.

Can it be trusted? Where does it err? How sure is it, and rightly so? Would more runs help? What is in it?
"""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

from ecotone._version import __version__
from ecotone.frontends.model_words import error_text, figure_text, readable
from ecotone.frontends.report import model_plots as plots
from ecotone.frontends.report.markup import Html, join, table, tag
from ecotone.frontends.words import NOTHING, count_text, percent_text
from ecotone.session.performance_models import assess

if TYPE_CHECKING:
    from ecotone.session.performance_models import Assessment, Judged, LearnedModel

__all__ = ["model_page"]

_GOOD_ERROR = 0.1
_GOOD_COVERAGE = 0.8


def model_page(judged: Judged, model_name: str, table_name: str) -> str:
    """The whole document.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    model = judged.asked.model
    assessment = assess(judged.predictions, judged.measured)
    target = readable(model.target)
    title = f"{target}: performance model {model_name} on {table_name}"
    here = files("ecotone.frontends.report")
    style = (here / "colours.css").read_text() + (here / "page.css").read_text()
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("title", title),
        tag("style", Html(style)),
    )
    body = tag(
        "main",
        tag("header", tag("h1", target, tag("small", f" performance model {model_name} on {table_name}"))),
        tag("div", _basis(judged), class_="soft"),
        _verdict(assessment),
        _tiles(judged, assessment),
        *_sections(judged, assessment),
        tag("footer", f"Ecotone {__version__}"),
    )
    return "<!doctype html>\n" + tag("html", head, tag("body", body), lang="en") + "\n"


def _sections(judged: Judged, assessment: Assessment) -> list[Html]:
    model = judged.asked.model
    curve = plots.curve_plot(judged)
    return [
        _section("Predicted against measured", _figure(plots.predicted_plot(judged)), _errors(assessment)),
        _section(
            "Residuals by feature",
            tag("p", "The line is the median: where it leaves zero, the model errs in one direction.", class_="soft"),
            _figure(plots.residuals_plot(judged)),
        ),
        _section("What the intervals cover", _figure(plots.coverage_plot(judged))),
        _section(
            "How many runs are enough",
            tag("p", _curve_words(judged), class_="soft"),
            _figure(curve) if curve is not None else tag("p", "There are too few runs for a curve.", class_="soft"),
        ),
        _section("Which families competed", tag("p", f"{_sentence(model.reason)}."), _families(model)),
        _section("What it reads", _features(model)),
        _section("What to know", _notes(judged)),
    ]


def _section(title: str, *content: object) -> Html:
    return tag("section", tag("h2", title), *content)


def _figure(svg: Html) -> Html:
    return tag("figure", svg)


def _sentence(text: str) -> str:
    text = readable(text)
    return text[:1].upper() + text[1:]


def _basis(judged: Judged) -> str:
    model = judged.asked.model
    learnt = f"learnt from {count_text(model.rows, 'run')} of {count_text(model.configurations, 'configuration')}"
    if not judged.held_out:
        return f"{learnt}; judged by the {count_text(len(judged.rows), 'run')} of this table"
    most = judged.curve.points[-1].runs
    return (
        f"{learnt}. The table seems to be the one that it was learnt from: to be fair, a model that was learnt in the "
        f"same way from {most} of these runs is judged by {len(judged.rows)} others."
    )


def _verdict(assessment: Assessment) -> Html:
    supported = assessment.supported
    if supported.error is None or supported.coverage is None:
        return tag("div", "No run of this table is supported: the model cannot carry them", class_="verdict bad")
    is_good = supported.error <= _GOOD_ERROR and supported.coverage >= _GOOD_COVERAGE
    words = f"{percent_text(supported.coverage)} of them are inside their 90 % interval"
    return tag(
        "div",
        f"Supported predictions err by {error_text(supported.error)} on average",
        tag("span", words),
        class_="verdict" if is_good else "verdict warn",
    )


def _tiles(judged: Judged, assessment: Assessment) -> Html:
    supported = assessment.supported
    share = supported.rows / assessment.all.rows
    cells = [
        (_error(supported.error), "mean error of supported predictions"),
        (_error(supported.error_median), "median error of these"),
        (NOTHING if supported.coverage is None else percent_text(supported.coverage), "inside their 90 % interval"),
        (percent_text(share), f"of {count_text(assessment.all.rows, 'run')} supported"),
        (_error(judged.asked.model.error), "error when it was validated"),
    ]
    return tag("div", *(tag("div", tag("b", b), tag("i", i), class_="tile") for b, i in cells), class_="tiles")


def _error(share: float | None) -> str:
    return NOTHING if share is None else error_text(share)


def _errors(assessment: Assessment) -> Html:
    named = (("supported", assessment.supported), ("not supported", assessment.unsupported), ("all", assessment.all))
    rows = [
        (
            name,
            str(group.rows),
            _error(group.error),
            _error(group.error_median),
            NOTHING if group.coverage is None else percent_text(group.coverage),
        )
        for name, group in named
    ]
    return table(("", "runs", "mean error", "median error", "inside their interval"), rows, numbers=range(1, 5))


def _curve_words(judged: Judged) -> str:
    words = (
        "Each point is a model that was learnt from so many runs, drawn at random, the smaller sets inside the larger "
        "ones, and asked about the same runs that none of them has seen."
    )
    if judged.asked.model.question == "extrapolation":
        words += " This is about values inside the range; what extrapolation costs is in the validation below."
    return words


def _families(model: LearnedModel) -> Html:
    rows = [
        (each.family, error_text(each.error), percent_text(each.weight) if each.weight else NOTHING)
        for each in model.candidates
    ]
    return table(("family", "error in validation", "weight"), rows, numbers=(1, 2)) if rows else Html("")


def _features(model: LearnedModel) -> Html:
    asked = {each.column: each for each in model.extrapolated}
    rows: list[tuple[object, ...]] = []
    for each in model.features:
        known = asked.get(each.name)
        beyond: object = NOTHING
        if known is not None:
            beyond = tag("span", "not supported", class_="broken") if known.why else "asked for"
        rows.append((readable(each.name), figure_text(each.low), figure_text(each.high), str(each.levels), beyond))
    rows += [
        (readable(name), figure_text(value), figure_text(value), "1", tag("span", "not supported", class_="broken"))
        for name, value in model.constants.items()
    ]
    return table(("feature", "from", "to", "values", "beyond"), rows, numbers=(1, 2, 3))


def _notes(judged: Judged) -> Html:
    model = judged.asked.model
    notes = [f"{each.column}: {each.why}" for each in model.extrapolated if each.why]
    notes += [*model.notes, *judged.asked.notes]
    notes.append(
        "An answer is not supported where a feature is far from the values that were measured, where a column that "
        "never varied has another value, and where the 90 % interval is too wide. Each answer says which."
    )
    if len(judged.rows) > plots.POINTS_MAX:
        notes.append(f"Of {len(judged.rows)} runs {plots.POINTS_MAX} are drawn, at random; figures are of all.")
    return join(tag("ul", *(tag("li", readable(each)) for each in dict.fromkeys(notes))))
