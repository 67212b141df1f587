"""Tables and views: complete, and never broken at 80 columns."""

from __future__ import annotations

import msgspec
import pytest
from rich.cells import cell_len
from tests.support.reports import broken_run, mobility, mobility_plan, mobility_run, three_sites
from tests.support.sessions import some_explanation, some_samples

from ecotone.core.application import Cell
from ecotone.core.errors import InfeasibleError, InputError, UnavailableError
from ecotone.core.problems import Place, Problem
from ecotone.frontends.terminal.explain import explain_view
from ecotone.frontends.terminal.live import live_view
from ecotone.frontends.terminal.plan import differences_view, plan_view
from ecotone.frontends.terminal.problems import failure_view, problems_view
from ecotone.frontends.terminal.profile import profile_view
from ecotone.frontends.terminal.style import lines_of
from ecotone.frontends.terminal.summary import summary_view

WIDTHS = (80, 100, 120, 200)


def views(width):
    plan, run = mobility_plan(), mobility_run()
    yield "plan", plan_view(plan, mobility(), three_sites(), width)
    yield "bare plan", plan_view(msgspec.structs.replace(plan, components=(), paths=()), None, None, width)
    yield "summary", summary_view(run, width)
    yield "broken", summary_view(broken_run(), width)
    yield "live", live_view(mobility_run(finished=False), width, 40, 60)
    yield "live broken", live_view(broken_run(), width, 30, None, stopping=True)
    yield "profile", profile_view(some_samples(), width)
    yield "explain", explain_view(some_explanation(), width)


@pytest.mark.parametrize("width", WIDTHS)
def test_no_line_is_wider_than_the_terminal_and_no_figure_is_cut(width):
    for name, view in views(width):
        lines = lines_of(view, width)
        assert max(cell_len(line) for line in lines) <= width, name
        assert not [line for line in lines if "…" in line], (name, width)


def test_each_row_of_a_table_is_one_line_at_80_columns():
    lines = lines_of(plan_view(mobility_plan(), mobility(), three_sites(), 80), 80)
    table = lines[lines.index(next(line for line in lines if "──" in line)) + 1 :]
    assert len(table[: table.index("")]) == 3 + 6  # a row for each site and each component


def test_plan_says_promise_site_and_proof():
    text = "\n".join(lines_of(plan_view(mobility_plan(), mobility(), three_sites(), 80), 80))
    for part in ("EMULATED", "junction", "edge · eu-south", "45.2 ms", "80 ms", "0.164 EUR/h", "proven"):
        assert part in text


def test_plan_says_that_promises_are_kept_by_the_upper_end():
    for width in (80, 104):
        text = "\n".join(lines_of(plan_view(mobility_plan(), mobility(), three_sites(), width), width))
        assert "p95 ≤ 100 ms kept: 78.1 ms, at most 91 ms" in text
        assert "9 % spare" in text
        assert "p95 ≤ 80 ms kept: 45.2 ms, at most 56.2 ms" in text
    late = msgspec.structs.replace(mobility_plan().paths[0], high_s=0.12)
    broken = msgspec.structs.replace(mobility_plan(), paths=(late,))
    text = "\n".join(lines_of(plan_view(broken, None, None, 100), 100))
    assert "p95 ≤ 100 ms broken: 78.1 ms, at most 120 ms" in text
    assert "20 % over" in text
    expected = msgspec.structs.replace(broken, confidence="expected")
    text = "\n".join(lines_of(plan_view(expected, None, None, 100), 100))
    assert "p95 ≤ 100 ms kept: 78.1 ms  " in text
    assert "22 % spare  (67 ms to 120 ms)" in text


def test_cores_are_shown_where_a_replica_holds_several():
    plan, application = mobility_plan(), mobility()
    assert "cores" not in "\n".join(lines_of(plan_view(plan, application, three_sites(), 100), 100))
    rows = tuple(msgspec.structs.replace(r, cores=4 if r.component == "detect" else 1) for r in plan.assignments)
    wide = msgspec.structs.replace(plan, assignments=rows)
    for width in (80, 100):
        lines = lines_of(plan_view(wide, application, three_sites(), width), width)
        assert "cores" in next(line for line in lines if "variant" in line)
        assert "large    2      4 " in next(line for line in lines if "detect" in line)
    cells = tuple(
        msgspec.structs.replace(c, cell=Cell(file="x.cell", ranks=2)) if c.name == "detect" else c
        for c in application.components
    )
    ranks = msgspec.structs.replace(application, components=cells)
    assert "2×4" in "\n".join(lines_of(plan_view(wide, ranks, three_sites(), 100), 100))  # noqa: RUF001
    assert "2×1" in "\n".join(lines_of(plan_view(plan, ranks, three_sites(), 100), 100))  # noqa: RUF001
    run = mobility_run()
    components = tuple(msgspec.structs.replace(c, cores=4 if c.component == "detect" else 1) for c in run.components)
    text = lines_of(summary_view(msgspec.structs.replace(run, components=components), 160), 160)
    assert "cores" in next(line for line in text if "variant" in line)


def test_unproven_plan_says_its_bound():
    plan = msgspec.structs.replace(mobility_plan(), optimal=False, gap=0.05, lower_bound_eur_per_h=0.156)
    text = "\n".join(lines_of(plan_view(plan, mobility(), three_sites(), 100), 100))
    assert "at most 5.3 % above the optimum" in text
    assert "lower bound 0.156 EUR/h" in text


def test_fused_components_are_said_to_be_less_isolated():
    plan = msgspec.structs.replace(mobility_plan(), groups=(("quality", "detect"),))
    assert "quality + detect" in "\n".join(lines_of(plan_view(plan, mobility(), three_sites(), 80), 80))


def test_summary_tells_verdicts_losses_and_the_page(tmp_path):
    text = "\n".join(lines_of(summary_view(mobility_run(), 120, tmp_path / "report.html"), 120))
    for part in ("all 3 promises kept", "nothing lost", "4 dropped", "1 restart", "0.00137 EUR", "report.html"):
        assert part in text.replace("\n", "")
    broken = "\n".join(lines_of(summary_view(broken_run(), 80), 80))
    for part in ("2 of 3 promises broken", "2 items LOST", "1 given up", "NOT VALID", "broken"):
        assert part in broken


@pytest.mark.parametrize(("width", "height"), [(80, 24), (120, 30), (80, 18)])
def test_live_view_fits_the_screen(width, height):
    lines = lines_of(live_view(mobility_run(finished=False), width, height, 60), width)
    assert len(lines) <= height + 1 or height < 24
    assert "EMULATED" in lines[0]
    assert "0:30 of 1:00" in lines[0]


def test_live_view_shows_what_is_not_running():
    run = mobility_run(finished=False)
    components = tuple(
        msgspec.structs.replace(each, phases={"running": 1, "backing_off": 1}) if each.component == "detect" else each
        for each in run.components
    )
    text = "\n".join(lines_of(live_view(msgspec.structs.replace(run, components=components), 80, 40), 80))
    assert "detect 1/2" in text
    failed = tuple(
        msgspec.structs.replace(each, phases={"failed": 1}) if each.component == "detect" else each
        for each in run.components
    )
    text = "\n".join(lines_of(live_view(msgspec.structs.replace(run, components=failed), 80, 40), 80))
    assert "detect failed" in text


def test_live_view_of_a_run_that_has_just_begun():
    run = mobility_run(finished=False, duration_s=0)
    blank = tuple(
        msgspec.structs.replace(each, p50_s=None, p95_s=None, rate_per_s=0.0, kept=None, measured_s=None)
        for each in run.components
    )
    path = msgspec.structs.replace(run.paths[0], measured_s=None, kept=None, quantiles_s=())
    bare = msgspec.structs.replace(run, components=blank, paths=(path,), nodes=(), events=(), timeline=())
    assert "3 not measured" in "\n".join(lines_of(live_view(bare, 80, 24), 80))


def problem(file, line=0, column=0, hint="write it so"):
    return Problem(place=Place(str(file), line, column), code="wrong-unit", message="it has no unit", hint=hint)


def test_a_problem_is_shown_like_a_compiler_would(tmp_path):
    file = tmp_path / "app.py"
    file.write_text('first\n@component(latency="30")\n')
    lines = lines_of(problems_view([problem(file, 2, 20)], 200), 200)
    assert lines == [
        f"{file}:2:20: it has no unit [wrong-unit]",
        '    2 │ @component(latency="30")',
        "      │                    ^",
        "   = write it so",
        "",
        "1 mistake in 1 file",
    ]


def test_caret_stands_under_its_column_behind_tabs_and_in_long_lines(tmp_path):
    file = tmp_path / "app.py"
    file.write_text("\t\tX = 1\n" + "a" * 300 + "Z" + "b" * 300 + "\n")
    for line, column, letter in ((1, 3, "X"), (2, 301, "Z")):
        shown = lines_of(problems_view([problem(file, line, column)], 80), 80)
        source, caret = [each for each in shown if "│" in each]
        assert source[caret.index("^")] == letter


def test_problems_without_a_readable_file_or_line_are_shown_without_excerpt(tmp_path):
    folder = tmp_path / "gone.py"
    lines = lines_of(problems_view([problem(folder, 3, 4, hint=""), problem(folder)], 200), 200)
    assert [line for line in lines if "│" in line] == []
    assert "2 mistakes in 1 file" in lines


def test_many_problems_are_all_shown_and_counted(tmp_path):
    lines = lines_of(problems_view([problem(tmp_path / f"{at}.py") for at in range(60)], 120), 120)
    assert lines[-1] == "60 mistakes in 60 files"
    assert all(any(f"{at}.py" in line for line in lines) for at in range(60))


def test_infeasible_is_explained_by_conflict_and_relaxations():
    error = InfeasibleError("no plan keeps every promise", ["a is at most 5 ms"], ["allow 9 ms: then 0.1 EUR/h"])
    text = "\n".join(lines_of(failure_view(error, 80), 80))
    assert "a is at most 5 ms" in text
    assert "1. allow 9 ms: then 0.1 EUR/h" in text


def test_other_errors_are_one_line():
    assert lines_of(failure_view(UnavailableError("no bus; start one"), 80), 80) == ["error: no bus; start one"]
    assert lines_of(failure_view(InputError("no such file"), 80), 80) == ["error: no such file"]


def test_markup_in_names_is_text():
    error = InputError("[bold]x[/bold] :smile:")
    assert lines_of(failure_view(error, 80), 80) == ["error: [bold]x[/bold] :smile:"]


def test_differences():
    assert lines_of(differences_view([]), 80) == ["nothing would change against the last run"]
    assert "detect moves" in "\n".join(lines_of(differences_view(["detect moves"]), 80))


def test_explanation_says_what_binds_where_time_goes_and_what_else_costs():
    text = "\n".join(lines_of(explain_view(some_explanation(), 100), 100))
    for part in (
        "0.004 EUR/h  camera may run only in layer device",
        "p95 60 ms, at most 62 ms; 100 ms promised, 38 % spare",
        "links 22.9 ms",
        "detect  large on edge-1 ×2",  # noqa: RUF001
        "an accuracy of at least 0.95: 5 % spare",
        "edge-2: 0.03 EUR/h more, moving quality too",
        "another variant: impossible",
        "cloud-1, cloud-2: its input is private to device, edge, it is in cloud",
        "camera: possible, at the same price",
        "accuracy of small is 0.89",
    ):
        assert part in text, part


def test_explanation_of_a_plan_that_breaks_promises():
    value = msgspec.structs.replace(some_explanation(), violations=("p95 would be 104 ms",), promises=(), optimal=False)
    text = "\n".join(lines_of(explain_view(value, 100), 100))
    assert "this plan breaks promises" in text
    assert "Nothing binds" in text


def test_an_overload_is_named_where_the_run_is_summed_up():
    run = msgspec.structs.replace(mobility_run(), valid=False, overloaded=("detect",))
    assert "NOT VALID: detect did not keep up" in "\n".join(lines_of(summary_view(run, 100), 100))
    assert "NOT VALID: detect overloaded" in "\n".join(lines_of(live_view(run, 120, 40, 60), 120))
