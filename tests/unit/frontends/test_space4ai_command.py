"""`ecotone plan --space4ai`: its document, its tables, its exit status, what it refuses, and how it is interrupted."""

from __future__ import annotations

import io
import json
import math
import os
import signal
import threading
import time
from pathlib import Path

import msgspec
import pytest
from rich.cells import cell_len

from ecotone.core.errors import InputError
from ecotone.design.space4ai import read_space4ai, read_space4ai_solution, space4ai_description
from ecotone.frontends.cli.main import run_command
from ecotone.frontends.terminal.style import lines_of
from ecotone.frontends.terminal.system import SearchLine, system_view
from ecotone.orchestration.placement.system.evaluate import judge
from ecotone.orchestration.placement.system.generate import generate
from ecotone.orchestration.placement.system.model import Placement
from ecotone.orchestration.placement.system.search import Found
from ecotone.session import systems
from ecotone.session.systems import SystemPlan, judge_solution, plan_system, system_document

CORPUS = Path(__file__).parents[2] / "corpus" / "space4ai"
RIGHT = str(CORPUS / "right.json")
NOTHING_FOUND = Found(
    best=None, value=math.inf, lower_bound=0.25, optimal=False, infeasible=False, gap=math.inf, wall_s=1.0, rounds=1
)


@pytest.fixture(autouse=True)
def narrow(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")


def document(capsys):
    value = json.loads(capsys.readouterr().out)
    assert value["schema_version"] == 1
    return value


def overloaded(tmp_path):
    """A solution in which the drone would be busy for 120 % of the time at 3 requests per second."""
    system = read_space4ai(Path(RIGHT))
    placement = Placement(
        deployments={"c1": "s1", "c2": "s1"},
        resources={"c1": ("Drone1",), "c2": ("F1",)},
        copies={"Drone1": 1},
    )
    file = tmp_path / "solution.json"
    file.write_text(json.dumps(systems.space4ai_solution(system, judge(system, placement), 1.0)))
    return file


# The document


def test_the_document_says_what_was_found_and_how_good_it_is(capsys):
    assert run_command(["plan", "--space4ai", RIGHT, "--json"]) == 0
    value = document(capsys)
    assert value["cost_eur_per_h"] == pytest.approx(0.5), "both components on one copy of the cheapest VM"
    assert (value["optimal"], value["gap"], value["feasible"], value["infeasible"]) == (True, 0.0, True, False)
    assert value["lower_bound_eur_per_h"] == pytest.approx(0.5, abs=1e-6)
    assert 0 < value["wall_s"] < 60
    assert value["interrupted"] is False
    assert value["solution"]["total_cost"] == value["cost_eur_per_h"]
    (resource,) = value["resources"]
    assert resource == {
        "resource": "VM1", "kind": "vm", "layer": "computationallayer2", "copies": 1, "copies_max": 3,
        "utilisation": pytest.approx(0.7), "memory_bytes": 3 * 2**30, "memory_of_copy_bytes": 8 * 2**30,
        "cost_eur_per_h": 0.5,
    }  # fmt: skip
    alone, path = value["bounds"]
    assert (alone["bound"], path["bound"], path["components"]) == ("c1 alone", "p1", ["c1", "c2"])
    assert path["time_s"] == pytest.approx(0.2 / 0.3 + 0.5 / 0.3)
    assert path["slack_s"] == pytest.approx(4 - path["time_s"])
    assert path["kept"] is True
    first = value["components"][0]
    assert (first["component"], first["deployment"], first["rate_per_s"]) == ("c1", "s1", 1.0)
    assert first["partitions"][0]["resource"] == "VM1"


def test_a_function_states_its_price_and_has_no_copies(tmp_path, capsys):
    assert run_command(["plan", "--space4ai", RIGHT, "--judge", str(overloaded(tmp_path)), "--json"]) == 0
    value = document(capsys)
    drone, function = value["resources"]
    assert (function["resource"], function["copies"], function["utilisation"]) == ("F1", None, None)
    assert function["cost_eur_per_h"] == pytest.approx(0.25 * 2.0)
    assert drone["cost_eur_per_h"] + function["cost_eur_per_h"] == pytest.approx(value["cost_eur_per_h"])
    assert (value["optimal"], value["infeasible"], value["lower_bound_eur_per_h"], value["gap"]) == (None,) * 4


def test_the_solution_is_written_and_judged_alike(tmp_path, capsys):
    file = tmp_path / "solution.json"
    assert run_command(["plan", "--space4ai", RIGHT, "--output", str(file), "--json"]) == 0
    found = document(capsys)
    assert json.loads(file.read_text()) == found["solution"]
    assert run_command(["plan", "--space4ai", RIGHT, "--judge", str(file), "--json"]) == 0
    judged = document(capsys)
    for key in ("cost_eur_per_h", "bounds", "resources", "components", "solution"):
        assert judged[key] == found[key]


def test_no_placement_is_a_result_with_a_proof(capsys):
    assert run_command(["plan", "--space4ai", RIGHT, "--load", "50", "--json"]) == 1
    value = document(capsys)
    assert (value["infeasible"], value["feasible"], value["solution"]) == (True, False, None)
    assert (value["cost_eur_per_h"], value["gap"], value["resources"]) == (None, None, [])
    assert {bound["kept"] for bound in value["bounds"]} == {None}
    assert run_command(["plan", "--space4ai", RIGHT, "--load", "50"]) == 1
    assert "no placement keeps every bound" in capsys.readouterr().out


def test_nothing_found_in_time_is_no_proof(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(systems, "search", lambda *_, **__: NOTHING_FOUND)
    file = tmp_path / "solution.json"
    assert run_command(["plan", "--space4ai", RIGHT, "--output", str(file), "--json"]) == 1
    printed = capsys.readouterr()
    value = json.loads(printed.out)
    assert (value["infeasible"], value["lower_bound_eur_per_h"], value["gap"]) == (False, 0.25, None)
    assert "there is no solution to write" in printed.err
    assert not file.exists()
    assert run_command(["plan", "--space4ai", RIGHT]) == 1
    assert "give the search more time with --time-limit" in capsys.readouterr().out


def test_a_judged_solution_that_breaks_something_says_what(tmp_path, capsys):
    arguments = ["plan", "--space4ai", RIGHT, "--judge", str(overloaded(tmp_path)), "--load", "3"]
    assert run_command([*arguments, "--json"]) == 1
    value = document(capsys)
    assert value["solution"] is None
    assert {each["what"] for each in value["violations"]} == {"load", "bound"}
    assert [bound["kept"] for bound in value["bounds"]] == [False, False]
    assert value["components"][0]["time_s"] is None
    assert run_command(arguments) == 1
    text = capsys.readouterr().out
    assert "for ever" in text
    assert "it breaks 3 bounds and rules" in text


def test_a_placement_that_makes_no_sense_has_no_figures(tmp_path):
    system = read_space4ai(Path(RIGHT))
    text = overloaded(tmp_path).read_text().replace('"number": 1', '"number": 9')
    file = tmp_path / "nonsense.json"
    file.write_text(text)
    plan = judge_solution(Path(RIGHT), file)
    value = json.loads(msgspec.json.encode(system_document(plan)))
    assert (value["cost_eur_per_h"], value["resources"], value["components"]) == (None, [], [])
    assert "9 copies of Drone1" in value["violations"][0]["message"]
    assert "9 copies of Drone1" in "\n".join(lines_of(system_view(plan, 80), 80))
    assert read_space4ai_solution(file, system).copies == {"Drone1": 9}


# Tables


def plans(tmp_path):
    right = Path(RIGHT)
    yield plan_system(right)
    yield judge_solution(right, overloaded(tmp_path), load_per_s=3.0)
    yield plan_system(right, load_per_s=50.0)
    system = generate(10, seed=1)
    file = tmp_path / f"{system.name}.json"
    file.write_text(json.dumps(space4ai_description(system)))
    yield plan_system(file, gap=0.5)


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_no_line_is_wider_than_the_terminal(width, tmp_path):
    for plan in plans(tmp_path):
        lines = lines_of(system_view(plan, width), width)
        assert max(cell_len(line) for line in lines) <= width
        assert width < 80 or not [line for line in lines if "…" in line]


def test_the_tables_say_all_that_matters(capsys):
    assert run_command(["plan", "--space4ai", RIGHT]) == 0
    text = capsys.readouterr().out
    for part in (
        "1.0/s enter, published semantics", "VM1", "1 of 3", "70 %", "3 GiB of 8 GiB", "0.5000 EUR/h", "c1 alone",
        "p1  c1 → c2", "2.33 s", "4 s", "1.67 s", "proven optimal",
    ):  # fmt: skip
        assert part in text


def test_what_is_not_proven_says_its_bound():
    plan = plan_system(Path(RIGHT))
    assert plan.found is not None
    worse = msgspec.structs.replace(plan.found, optimal=False, gap=0.2, lower_bound=0.4)
    plan = msgspec.structs.replace(plan, found=worse, interrupted=True)
    text = "\n".join(lines_of(system_view(plan, 80), 80))
    assert "best found, gap 20 %  none costs less than 0.4000 EUR/h" in text
    assert "interrupted" in text


def test_the_line_of_a_search_says_value_bound_and_gap(monkeypatch):
    stream = io.StringIO()
    stream.isatty = lambda: True
    monkeypatch.setenv("TERM", "xterm")
    line = SearchLine(stream)
    line.update(None, 1.5)
    line.update(2.0, 1.5)
    line.close()
    assert "2.0000 EUR/h, none below 1.5000, gap 25 %" in stream.getvalue()


# What is refused


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("plan", "ecotone plan needs APP or --space4ai FILE;"),
        (f"plan app --space4ai {RIGHT}", "ecotone plan needs APP or --space4ai FILE, not both"),
        (f"plan --space4ai {RIGHT} --fuse --set a=1", "--set, --fuse: only for an application, not with --space4ai"),
        (f"plan --space4ai {RIGHT} --continuum x.yaml --force", "--continuum, --force: only for an application"),
        ("plan app --load 2 --seed 1 --output x", "--seed, --output: only with --space4ai"),
        ("plan app --judge x --semantics cpp", "--judge, --semantics: only with --space4ai, not for an application"),
        (f"plan --space4ai {RIGHT} --judge x --gap 0.1 --seed 1", "--gap, --seed: only for a search"),
        (f"plan --space4ai {RIGHT} --judge x --time-limit 1s", "--time-limit: only for a search, not with --judge"),
        (f"plan --space4ai {RIGHT} --load 0", "'0' is no load"),
        (f"plan --space4ai {RIGHT} --load -1", "'-1' is no load"),
        (f"plan --space4ai {RIGHT} --load nan", "'nan' is no load"),
        (f"plan --space4ai {RIGHT} --load inf", "'inf' is no load"),
        (f"plan --space4ai {RIGHT} --load much", "'much' is no load"),
        (f"plan --space4ai {RIGHT} --load 1e9", "the load is 1e+09 requests per second"),
        (f"plan --space4ai {RIGHT} --seed -1", "'-1' is no seed"),
        (f"plan --space4ai {RIGHT} --seed 1.5", "'1.5' is no seed"),
        (f"plan --space4ai {RIGHT} --semantics other", '"other" for --semantics'),
        (f"plan --space4ai {RIGHT} --output /nowhere/x.json", "there is no folder /nowhere"),
        (f"plan --space4ai {RIGHT} --output /", "/ is a folder"),
        ("plan app --pareto power --largest-load", "--largest-load: not with --pareto"),
        (f"plan --space4ai {RIGHT} --plot x.svg", "--plot: only with --pareto"),
        (f"plan --space4ai {RIGHT} --pareto power", "the description states no power"),
        (f"plan --space4ai {RIGHT} --objective power", "the description states no power"),
        (f"plan --space4ai {RIGHT} --pareto accuracy", "the description states no accuracy"),
        (f"plan --space4ai {RIGHT} --pareto power --judge x --gap 0.1", "--judge, --gap: not with --pareto"),
        (f"plan --space4ai {RIGHT} --pareto power --plot /nowhere/x", "--plot /nowhere/x: there is no folder /nowhere"),
        (f"plan --space4ai {RIGHT} --largest-load --gap 0.1", "--gap: not with --largest-load"),
        (f"plan --space4ai {RIGHT} --moving-price 1", "--moving-price: only with --running"),
        (f"plan --space4ai {RIGHT} --running x --moving-price -1", "'-1' is no price"),
        (f"plan --space4ai {RIGHT} --running x --objective power", "--running: not with --objective power"),
        ("plan --space4ai nothing.json", "nothing.json: the file cannot be read: No such file"),
        (f"plan --space4ai {RIGHT} --judge nothing.json", "nothing.json: the file cannot be read: No such file"),
    ],
)
def test_what_cannot_be_is_told(line, message, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    assert run_command(line.split()) == 2
    printed = capsys.readouterr()
    assert message in printed.err
    assert printed.out == ""
    assert run_command([*line.split(), "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["error"]["message"]


def test_every_mistake_is_told_with_its_line(capsys):
    file = str(CORPUS / "missing_figures.json")
    assert run_command(["plan", "--space4ai", file]) == 2
    printed = capsys.readouterr()
    assert f"{file}:38:24: LocalConstraints.c1.local_res_time is missing" in printed.err
    assert "6 mistakes in 1 file" in printed.err
    assert run_command(["plan", "--space4ai", file, "--json"]) == 2
    error = document(capsys)["error"]
    assert [each["line"] for each in error["problems"]] == [10, 15, 20, 33, 38, 41]


def test_an_impossible_seed_is_refused_in_python_too():
    with pytest.raises(InputError, match="the seed is -1"):
        plan_system(Path(RIGHT), seed=-1)


def test_a_full_disk_costs_the_file_and_not_the_answer(capsys):
    assert run_command(["plan", "--space4ai", RIGHT, "--output", "/dev/full", "--json"]) == 1
    printed = capsys.readouterr()
    assert json.loads(printed.out)["optimal"] is True
    assert printed.err == "error: /dev/full cannot be written: No space left on device\n"
    assert Path("/dev/full").is_char_device(), "a device stays one"


# Other questions


def changed(tmp_path, change):
    described = json.loads(Path(RIGHT).read_text())
    change(described)
    file = tmp_path / "changed.json"
    file.write_text(json.dumps(described))
    return str(file)


def stating_power_and_accuracy(described):
    for key in ("EdgeResources", "CloudResources"):
        for number, layer in enumerate(described[key].values()):
            for resource in layer.values():
                resource |= {"idle_power_w": 5.0 if key == "EdgeResources" else 90.0 + number, "busy_power_w": 120.0}
    described["Accuracy"] = {"c1": {name: 0.8 + 0.1 * at for at, name in enumerate(described["Components"]["c1"])}}


@pytest.mark.parametrize("by", ["power", "accuracy"])
def test_the_front_is_a_document_a_table_and_a_plot(by, tmp_path, capsys):
    file, plot = changed(tmp_path, stating_power_and_accuracy), tmp_path / "front.svg"
    assert run_command(["plan", "--space4ai", file, "--pareto", by, "--json"]) == 0
    value = document(capsys)
    assert value["complete"] is True
    costs = [each["cost_eur_per_h"] for each in value["points"]]
    assert costs == sorted(costs)
    assert all(each["proven"] and each["solution"]["total_cost"] == each["cost_eur_per_h"] for each in value["points"])
    pytest.importorskip("matplotlib")
    assert run_command(["plan", "--space4ai", file, "--pareto", by, "--plot", str(plot)]) == 0
    printed = capsys.readouterr()
    assert "proven: all there are" in printed.out
    assert f"{costs[0]:.4f}" in printed.out
    assert printed.err == f"wrote {plot}\n"
    assert "</svg>" in plot.read_text()


def test_the_least_power_is_told_in_watts(tmp_path, capsys):
    file = changed(tmp_path, stating_power_and_accuracy)
    assert run_command(["plan", "--space4ai", file, "--objective", "power", "--json"]) == 0
    value = document(capsys)
    assert value["lower_bound_w"] == pytest.approx(value["power_w"], abs=1e-5)
    assert value["lower_bound_eur_per_h"] is None
    assert run_command(["plan", "--space4ai", file, "--objective", "power"]) == 0
    assert f"{value['power_w']:.2f} W" in capsys.readouterr().out


def test_the_largest_load_is_carried_and_more_is_not(tmp_path, capsys):
    assert run_command(["plan", "--space4ai", RIGHT, "--largest-load", "--json"]) == 0
    value = document(capsys)
    load = value["largest_load_per_s"]
    solution = tmp_path / "solution.json"
    solution.write_text(json.dumps(value["solution"]))
    line = ["plan", "--space4ai", RIGHT, "--judge", str(solution)]
    assert run_command([*line, "--load", str(load)]) == 0
    capsys.readouterr()
    assert run_command([*line, "--largest-load", "--json"]) == 0
    assert document(capsys)["largest_load_per_s"] == pytest.approx(load, rel=0.003)
    if value["impossible_load_per_s"] is not None:
        assert run_command(["plan", "--space4ai", RIGHT, "--load", str(value["impossible_load_per_s"])]) == 1
        capsys.readouterr()
    assert run_command(["plan", "--space4ai", RIGHT, "--largest-load"]) == 0
    assert "requests per second" in capsys.readouterr().out


def test_what_runs_stays_if_moving_costs_too_much(tmp_path, capsys):
    solution = overloaded(tmp_path)
    line = ["plan", "--space4ai", RIGHT, "--running", str(solution), "--json"]
    assert run_command([*line, "--moving-price", "100"]) == 0
    value = document(capsys)
    assert (value["moved"], value["moving_eur_per_h"]) == ([], 0.0)
    assert run_command(line) == 0
    value = document(capsys)
    assert value["moved"] == ["c1", "c2"]
    assert value["cost_eur_per_h"] == pytest.approx(0.5)


def test_what_has_lost_its_resource_moves(tmp_path, capsys):
    solution = overloaded(tmp_path)
    file = changed(
        tmp_path, lambda it: [layer.get("Drone1", {}).update(number=0) for layer in it["EdgeResources"].values()]
    )
    assert run_command(["plan", "--space4ai", file, "--running", str(solution), "--moving-price", "9", "--json"]) == 0
    value = document(capsys)
    assert (value["lost"], value["moved"], value["moving_eur_per_h"]) == (["c1"], ["c1"], 9.0)
    assert run_command(["plan", "--space4ai", file, "--running", str(solution)]) == 0
    assert "what ran it is gone: c1" in capsys.readouterr().out


def test_why_there_is_no_placement_is_told_with_what_helps(capsys):
    line = ["plan", "--space4ai", RIGHT, "--load", "1000"]
    assert run_command([*line, "--json"]) == 1
    value = document(capsys)
    assert value["infeasible"] is True
    assert value["conflict"]
    assert value["conflict_minimal"] is True
    changes = [each["relative_change"] for each in value["relaxations"]]
    assert changes
    assert run_command(line) == 1
    assert value["relaxations"][0]["sentence"].split()[0] in capsys.readouterr().out


# Interrupted


def played(number):
    """A search during which a signal comes, and which then ends because its time is up."""

    def search(system, goal, *, stop, progress, **_):
        os.kill(os.getpid(), number)
        limit_s = time.monotonic() + 10
        while not stop.is_set():  # a handler runs between two lines of Python only
            assert time.monotonic() < limit_s, "the search was never stopped"
            time.sleep(0.001)
        found = plan_of_right()
        progress(systems.Progress(wall_s=1.0, value=found.value, lower_bound=0.4))
        return msgspec.structs.replace(found, optimal=False, gap=0.2, lower_bound=0.4)

    return search


def plan_of_right():
    system = read_space4ai(Path(RIGHT))
    placement = Placement(
        deployments={"c1": "s1", "c2": "s1"}, resources={"c1": ("VM1",), "c2": ("VM1",)}, copies={"VM1": 1}
    )
    best = judge(system, placement)
    return msgspec.structs.replace(NOTHING_FOUND, best=best, value=best.price_eur_per_h)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_search_with_the_best_so_far(number, monkeypatch, capsys):
    monkeypatch.setattr(systems, "search", played(number))
    assert run_command(["plan", "--space4ai", RIGHT, "--json"]) == 130
    value = document(capsys)
    assert (value["interrupted"], value["feasible"], value["cost_eur_per_h"]) == (True, True, 0.5)
    assert 0 < value["wall_s"] < 60


def test_signals_are_afterwards_what_they_were_before(capsys):
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.getsignal(number) for number in numbers]
    assert run_command(["plan", "--space4ai", RIGHT, "--json"]) == 0
    assert [signal.getsignal(number) for number in numbers] == before
    assert not signal.pthread_sigmask(signal.SIG_BLOCK, ()) & set(numbers)
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)  # the solver would have left its own handler
    assert "stopping" not in {thread.name for thread in threading.enumerate()}


def test_a_real_search_ends_soon_after_it_is_asked_to(tmp_path):
    system = generate(40, seed=2)
    file = tmp_path / f"{system.name}.json"
    file.write_text(json.dumps(space4ai_description(system)))
    stop = threading.Event()
    stopped_s: list[float] = []

    def once_found(told):
        if told.value is not None and not stop.is_set():
            stop.set()
            stopped_s.append(told.wall_s)

    plan = plan_system(file, time_limit_s=60.0, progress=once_found, stop=stop)
    assert isinstance(plan, SystemPlan)
    assert plan.interrupted
    assert plan.feasible
    assert plan.found is not None
    assert plan.found.wall_s < stopped_s[0] + 10
