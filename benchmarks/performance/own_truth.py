"""Claim: on this machine, unseen batches, threads and sizes are predicted within 10 % (median) for networks in ONNX
format and for Python components; learning takes at most 60 s.

    python -m benchmarks.performance.own_truth [--quick] [--patience SECONDS] [--skip-unmeasured]

Networks are predicted operator by operator. What is true is a session of the runtime as applications open it, with no
profile; a thread's own time where there is one, else the runs in which no thread waited for a core. Runs of several
threads that others disturbed all the time are told and not counted.
"""

from __future__ import annotations

import argparse
import math
import os
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy
import onnx.utils
from benchmarks._table import median, show
from benchmarks.performance._components import COMPONENTS, Component, Settings
from benchmarks.performance._networks import Case, networks
from sklearn.ensemble import RandomForestRegressor
from xgboost import XGBRegressor

from ecotone.design.networks import (
    Prepared,
    Run,
    measure,
    prepare,
    random_inputs,
    runtime,
    time_runs,
    waited_s,
    whole_run,
)
from ecotone.design.networks._sizes import load, sized
from ecotone.orchestration.performance.learner import Table, fit, predict
from ecotone.orchestration.performance.operators import (
    MeasuredRun,
    OperatorModels,
    learn_operators,
    operator_questions,
    operator_tables,
    predict_run,
)

SHARED = Path(__file__).parents[3] / "shared"
WAITED_MAX = 0.05
FITTING_MAX_S = 60.0
ERROR_MAX = 0.10


class Truth(NamedTuple):
    """One question with its answer: measured as applications run it, and once more as learning saw it."""

    run: MeasuredRun
    total_s: float
    waited: float

    @property
    def counts(self) -> bool:
        return self.waited <= WAITED_MAX


def run(*, quick: bool = False, patience_s: float = 8.0, unmeasured: bool = True, kept: Path | None = None) -> None:
    """Measure, learn, ask, and print."""
    of_networks(quick=quick, patience_s=patience_s, unmeasured=unmeasured and not quick, kept=kept)
    of_components(quick=quick, patience_s=patience_s)


# Networks.


def of_networks(*, quick: bool, patience_s: float, unmeasured: bool, kept: Path | None = None) -> None:
    cases = networks(SHARED)
    if quick:
        cases = [each._replace(learnt=each.learnt[:3], asked=each.asked[:2]) for each in cases[:2]]
    if kept is not None and kept.is_file():
        learnt, asked = msgspec.json.decode(kept.read_bytes(), type=_Measured)
    else:
        learnt, asked = _measured(cases, patience_s)
        if kept is not None:
            kept.write_bytes(msgspec.json.encode((learnt, asked)))
    loads = [each.load for its in learnt.values() for each in its]
    loads += [each.run.load for its in asked.values() for each in its]
    measured = [each for its in learnt.values() for each in its]
    wall, cpu = time.perf_counter(), time.process_time()
    models = learn_operators(measured, machine=os.uname().nodename, runtime=runtime().__version__)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    peers = _peers(measured)
    rows = []
    everything: dict[str, list[float]] = defaultdict(list)
    for case in cases:
        for threads in (1, 2):
            its = [each for each in asked[case.name] if each.run.threads == threads]
            counted = [each for each in its if each.counts]
            shown = f"{case.name}, {threads} thread{'s' * (threads > 1)}" + " *" * (threads not in case.threads)
            if not counted:
                rows.append([shown, f"0/{len(its)}", *7 * ["-"]])
                continue
            errors = _errors(models, peers, counted)
            for name, values in errors.items():
                everything[name] += values
            rows.append([shown, f"{len(counted)}/{len(its)}", *(_percent(values) for values in errors.values())])
    rows.append(["all", str(len(everything["ours"])), *(_percent(values) for values in everything.values())])
    header = ["network", "counted", "ours", "operators", "random forest", "XGBoost", "FLOPs", "own FLOPs", "twice"]
    show(
        f"Median errors at unseen batches and sizes; loads {min(loads):.1f} to {max(loads):.1f}, median "
        f"{median(loads):.1f}",
        header,
        rows,
    )
    print(
        "* was never measured with so many threads. ours: the whole run; operators: the sum of their measured times; "
        "the forest and XGBoost learn from\nthe same tables of operators; FLOPs: a line through all networks; own "
        "FLOPs: one for each network; twice: the same run measured again"
    )
    within = [abs(each) for each in everything["ours"]]
    inside = [_inside(models, each) for its in asked.values() for each in its if each.counts]
    quiet = [each for each in measured if each.waited <= WAITED_MAX]
    print(f"median error {_percent(within)}, of {len(within)} questions; claim: at most {100 * ERROR_MAX:.0f} %")
    print(f"90 % intervals hold {100 * numpy.mean(inside):.0f} %")
    print(
        f"learnt from {len(quiet)} of {len(measured)} runs (the others were disturbed), {wall:.0f} s, CPU {cpu:.0f} s"
    )
    of_parts(cases, models, quick=quick)
    if unmeasured:
        of_unmeasured(cases, learnt, asked)


_Measured = tuple[dict[str, list[MeasuredRun]], dict[str, list[Truth]]]


def _measured(cases: Sequence[Case], patience_s: float) -> _Measured:
    learnt: dict[str, list[MeasuredRun]] = {}
    asked: dict[str, list[Truth]] = {}
    for case in cases:
        learnt[case.name] = [
            measure(_prepared(case, each), threads=threads, for_s=0.8, patience_s=patience_s)
            for each in case.learnt
            for threads in case.threads
        ]
        asked[case.name] = [_truth(case, each, threads, patience_s) for each in case.asked for threads in (1, 2)]
        print(f"measured {case.name}, load {os.getloadavg()[0]:.1f}", flush=True)
    return learnt, asked


def _prepared(case: Case, question: tuple[int, tuple[int, ...]]) -> Prepared:
    batch, size = question
    return prepare(case.source, batch=batch, size=size, name=case.name)


def _truth(case: Case, question: tuple[int, tuple[int, ...]], threads: int, patience_s: float) -> Truth:
    run = measure(_prepared(case, question), threads=threads, for_s=0.8, patience_s=patience_s)
    model, _ = sized(load(case.source if isinstance(case.source, bytes) else str(case.source)), *question)
    total_s, waited = _whole(model.SerializeToString(), threads, patience_s)
    return Truth(run, total_s, waited)


def _whole(model: bytes, threads: int, patience_s: float) -> tuple[float, float]:
    """Seconds of a run as applications have it, and the share of waiting in it."""
    options = runtime().SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 4
    session = runtime().InferenceSession(model, options, ["CPUExecutionProvider"])
    runs = time_runs(session, random_inputs(session), 0.5, warm_up=2, patience_s=patience_s)
    return whole_run(runs, threads)


class Peers(NamedTuple):
    forests: dict[str, Any]
    boosted: dict[str, Any]
    line: dict[int, tuple[float, float]]
    own_lines: dict[tuple[str, int], tuple[float, float]]


def _peers(measured: Sequence[MeasuredRun]) -> Peers:
    quiet = [each for each in measured if each.waited <= WAITED_MAX]
    tables = operator_tables(quiet)
    forests = {name: _fitted(RandomForestRegressor(200, random_state=0), table) for name, table in tables.items()}
    boosted = {name: _fitted(_xgboost(), table) for name, table in tables.items()}
    line, own = {}, {}
    for threads in (1, 2):
        line[threads] = _line([each for each in quiet if each.threads == threads])
        for name in {each.network.name for each in quiet}:
            own[name, threads] = _line([each for each in quiet if (each.network.name, each.threads) == (name, threads)])
    return Peers(forests, boosted, line, own)


def _xgboost() -> XGBRegressor:
    return XGBRegressor(n_estimators=300, learning_rate=0.05, max_depth=5, subsample=0.8, random_state=0, n_jobs=2)


def _fitted(model: Any, table: Table) -> Any:
    return model.fit(numpy.log(table.values[:, :-1]), numpy.log(table.values[:, -1]))


def _line(runs: Sequence[MeasuredRun]) -> tuple[float, float]:
    """Constant and slope with the least relative squares; not a number for fewer than three runs."""
    if len(runs) < 3:
        return math.nan, math.nan
    flops = numpy.array([sum(each.flops for each in run.network.operators) for run in runs])
    totals = numpy.array([run.total_s for run in runs])
    found = numpy.linalg.lstsq(numpy.c_[1.0 / totals, flops / totals], numpy.ones(len(runs)), rcond=None)[0]
    return float(found[0]), float(found[1])


def _errors(models: OperatorModels, peers: Peers, truths: Sequence[Truth]) -> dict[str, list[float]]:
    found: dict[str, list[float]] = defaultdict(list)
    for truth in truths:
        operators, threads = truth.run.network.operators, truth.run.threads
        ours = predict_run(models, operators, threads)
        found["ours"].append(ours.prediction_s / truth.total_s - 1)
        of_operators = sum(each or 0.0 for each in truth.run.operator_s)
        found["operators"].append((ours.prediction_s - ours.overhead_s) / of_operators - 1)
        for name, its in (("forest", peers.forests), ("boosted", peers.boosted)):
            asked = operator_questions(its, operators, threads)
            total = sum(float(numpy.exp(its[key].predict(numpy.log(t.values))).sum()) for key, t in asked.items())
            total += models.run_s + models.operator_s * len(operators) + models.share_s * total
            found[name].append(total / truth.total_s - 1)
        flops = sum(each.flops for each in operators)
        own = peers.own_lines.get((truth.run.network.name, threads), (math.nan, math.nan))
        for name, (constant, slope) in (("line", peers.line[threads]), ("own line", own)):
            found[name].append((constant + slope * flops) / truth.total_s - 1)
        found["twice"].append(truth.run.total_s / truth.total_s - 1)
    return found


def _percent(values: Sequence[float]) -> str:
    known = [abs(each) for each in values if not math.isnan(each)]
    return f"{100 * median(known):.1f} %" if known else "-"


def _inside(models: OperatorModels, truth: Truth) -> bool:
    said = predict_run(models, truth.run.network.operators, truth.run.threads)
    return said.low_s <= truth.total_s <= said.high_s


def of_parts(cases: Sequence[Case], models: OperatorModels, *, quick: bool) -> None:
    """The first part of each network, up to a cut, run alone: predicted as operators of the whole network, and as the
    network that it is when it is cut out, which the runtime may optimise otherwise."""
    rows, errors, of_whole = [], [], []
    for case in cases:
        question = case.asked[0]
        model, inputs = sized(load(case.source if isinstance(case.source, bytes) else str(case.source)), *question)
        original = {name for node in model.graph.node for name in node.output}
        network = _prepared(case, question).network
        for share in (0.3, 0.6):
            cut = _cut(models, network, original, share)
            if cut is None:
                continue
            said = predict_run(models, network.up_to([cut]), 1)
            part = onnx.utils.Extractor(onnx.shape_inference.infer_shapes(model)).extract_model(list(inputs), [cut])
            total_s, _ = _whole(part.SerializeToString(), 1, 0.0)
            alone = predict_run(models, prepare(part.SerializeToString()).network.operators, 1)
            of_whole.append(said.prediction_s / total_s - 1)
            errors.append(alone.prediction_s / total_s - 1)
            count = f"{len(said.operators)} of {len(network.operators)}"
            times = [f"{1e3 * each:.2f}" for each in (total_s, said.prediction_s, alone.prediction_s)]
            rows.append([case.name, count, *times, f"{100 * of_whole[-1]:+.0f} %", f"{100 * errors[-1]:+.0f} %"])
            if quick:
                break
    header = ["network", "operators", "measured ms", "of the whole", "cut out", "error", "error"]
    show("Parts of networks, one thread", header, rows)
    print(f"median error {_percent(of_whole)} as operators of the whole, {_percent(errors)} as what is cut out")


def _cut(models: OperatorModels, network: Any, original: set[str], share: float) -> str | None:
    """A tensor of the file that is made when about this share of the time has passed."""
    times = predict_run(models, network.operators, 1).operators
    total, passed = sum(each.prediction_s for each in times), 0.0
    for each in times:
        passed += each.prediction_s
        found = next((name for name in each.operator.outputs if name in original), None)
        if passed >= share * total and found is not None and found not in network.outputs:
            return found
    return None


def of_unmeasured(cases: Sequence[Case], learnt: dict[str, list[MeasuredRun]], asked: dict[str, list[Truth]]) -> None:
    """Each network as if it had never been measured: learnt from all others."""
    rows, everything = [], []
    for case in cases:
        others = [each for name, its in learnt.items() if name != case.name for each in its]
        models = learn_operators(others, machine="", runtime="")
        counted = [each for each in asked[case.name] if each.counts]
        said = [predict_run(models, each.run.network.operators, each.run.threads) for each in counted]
        errors = [one.prediction_s / each.total_s - 1 for one, each in zip(said, counted, strict=True)]
        everything += errors
        inside = [one.low_s <= each.total_s <= one.high_s for one, each in zip(said, counted, strict=True)]
        supported = sum(each.supported for each in said)
        rows.append(
            [case.name, len(counted), _percent(errors), f"{sum(inside)}/{len(counted)}", f"{supported}/{len(counted)}"]
        )
    rows.append(["all", len(everything), _percent(everything), "", ""])
    show(
        "Networks that were never measured, learnt from the others",
        ["network", "questions", "median error", "inside 90 %", "supported"],
        rows,
    )


# Components.


def of_components(*, quick: bool, patience_s: float) -> None:
    rows = []
    load = os.getloadavg()[0]
    worst_s = 0.0
    for component in COMPONENTS[:1] if quick else COMPONENTS:
        row, took_s = _of_component(component, patience_s)
        worst_s = max(worst_s, took_s)
        rows.append(row)
    header = ["component", "runs", "inside", "forest", "XGBoost", "90 % holds", "beyond", "forest", "XGBoost", "fit s"]
    show(
        f"Python components at unseen sizes, inside and beyond what was learnt; load {load:.1f} at the start",
        header,
        rows,
    )
    print(f"the longest fit and selection took {worst_s:.0f} s; claim: at most {FITTING_MAX_S:.0f} s")


def _of_component(component: Component, patience_s: float) -> tuple[list[object], float]:
    learnt = _timed(component, component.learnt, patience_s)
    names = list(component.learnt[0])
    start = time.perf_counter()
    inside_model = fit(learnt, "seconds")
    beyond_model = fit(learnt, "seconds", extrapolate=[component.extrapolate])
    took_s = (time.perf_counter() - start) / 2
    x, y = numpy.log(learnt.values[:, :-1]), numpy.log(learnt.values[:, -1])
    peers = [RandomForestRegressor(200, random_state=0).fit(x, y), _xgboost().fit(x, y)]
    row: list[object] = [component.name, len(learnt)]
    for questions, model in ((component.asked, inside_model), (component.beyond, beyond_model)):
        truth = _timed(component, questions, patience_s)
        seconds = truth.column("seconds")
        said = predict(model, truth.only(names))
        row.append(_percent(said.prediction / seconds - 1))
        row += [_percent(numpy.exp(peer.predict(numpy.log(truth.values[:, :-1]))) / seconds - 1) for peer in peers]
        if model is inside_model:
            held = (said.low <= seconds) & (seconds <= said.high)
            row.append(f"{held.sum()}/{len(truth)}")
    row.append(f"{took_s:.1f}")
    return row, took_s


def _timed(component: Component, settings: Sequence[Settings], patience_s: float) -> Table:
    rows = []
    for each in settings:
        work = component.work(each)
        threads = int(each.get("threads", 1))
        runs: list[Run] = []
        calm = 0
        work()
        end = time.perf_counter() + 0.25
        while len(runs) < 5 or time.perf_counter() < end + (patience_s if calm < 5 and threads > 1 else 0.0):
            waiting, cpu, start = waited_s(), time.thread_time(), time.perf_counter()
            work()
            wall_s, cpu_s = time.perf_counter() - start, time.thread_time() - cpu
            runs.append(Run(wall_s, cpu_s, max(0.0, waited_s() - waiting)))
            calm += runs[-1].calm
        seconds, waited = whole_run(runs, threads)
        if waited <= WAITED_MAX:
            rows.append([*each.values(), seconds])
    return Table([*settings[0], "seconds"], numpy.array(rows))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.performance.own_truth", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few cases: whether it runs, not what it promises")
    parser.add_argument("--patience", type=float, default=8.0, metavar="SECONDS", help="to wait for calm, each time")
    parser.add_argument("--skip-unmeasured", action="store_true", help="no models without one network each")
    parser.add_argument("--components", action="store_true", help="nothing but the Python components")
    parser.add_argument("--runs", type=Path, metavar="FILE", help="networks' runs: taken from it, or kept in it")
    arguments = parser.parse_args()
    if arguments.components:
        of_components(quick=arguments.quick, patience_s=arguments.patience)
    else:
        run(
            quick=arguments.quick,
            patience_s=arguments.patience,
            unmeasured=not arguments.skip_unmeasured,
            kept=arguments.runs,
        )


if __name__ == "__main__":
    main()
