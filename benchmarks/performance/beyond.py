"""Claim: above the values that were learnt from, the model errs little where it says that it is supported, and says so
where it is not."""

from __future__ import annotations

import numpy
from benchmarks._table import median, show
from benchmarks.performance import _baselines
from benchmarks.performance._sets import beyond, mape, tables

from ecotone.orchestration.performance.learner import fit, predict

__all__ = ["run"]

LARGE = 0.30
ITERATIONS = "Real Iterations Number(15)"


def run(*, quick: bool) -> None:
    rows, supported, ratios, everything, iterations, oracles = [], [], [], [], [], []
    inside = carried = 0
    large_total = large_kept = small_total = small_lost = 0
    for runs in tables()[: 2 if quick else None]:
        for split in beyond(runs):
            model = fit(split.train, runs.target, extrapolate=[split.column])
            said = predict(model, split.test)
            errors = numpy.abs(said.prediction / split.truth - 1)
            large = errors > LARGE
            held = (said.low <= split.truth) & (split.truth <= said.high)
            inside += int((held & said.supported).sum())
            carried += int(said.supported.sum())
            large_total += int(large.sum())
            large_kept += int((large & said.supported).sum())
            small_total += int((~large).sum())
            small_lost += int((~large & ~said.supported).sum())
            peers = {name: mape(each, split.truth) for name, each in _baselines.predictions(*split.arrays()).items()}
            oracle = min(peers.values())
            error = float(errors.mean())
            everything.append(error)
            is_supported = said.supported.mean() > 0.5
            if is_supported:
                supported.append(error)
                oracles.append(oracle)
                ratios.append(error / oracle)
            if split.column == ITERATIONS:
                iterations.append(error)
            rows.append(
                [
                    runs.name,
                    split.column,
                    len(said.supported),
                    f"{100 * error:.1f}",
                    f"{100 * oracle:.1f} {min(peers, key=lambda name: peers[name])}",
                    f"{100 * said.supported.mean():.0f} %",
                    "" if not large.any() else f"{100 * (large & ~said.supported).sum() / large.sum():.0f} %",
                ]
            )
    header = ["set", "column", "points", "error %", "oracle of peers %", "supported", "of large errors flagged"]
    show("Beyond the range: the lowest 60 % of a column's values learnt, those above predicted", header, rows)
    print(f"supported: {len(supported)} of {len(everything)} splits ({100 * len(supported) / len(everything):.0f} %)")
    print(f"their median error {100 * median(supported):.1f} %, of the peers' oracle {100 * median(oracles):.1f} %,")
    print(f"ratio of the medians {median(supported) / median(oracles):.2f}, median of the ratios {median(ratios):.2f}")
    print(f"all splits: median error {100 * median(everything):.1f} %")
    print(f"the 90 % intervals of supported points held {100 * inside / carried:.0f} %")
    if iterations:
        print(f"iterations: median error {100 * median(iterations):.1f} % of {len(iterations)}")
    print(
        f"points that err by more than 30 %: {100 * (1 - large_kept / large_total):.1f} % flagged; "
        f"of the others {100 * small_lost / small_total:.1f} % flagged"
    )
