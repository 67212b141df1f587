"""Performance models learnt from tables of runs: any figure of any program, with intervals and a flag for what the data
cannot carry. Called by profiling, by the planner and by `ecotone performance`.

    model = fit(read_table(Path("runs.csv")), "seconds", extrapolate=["batch"])
    predict(model, read_table(Path("questions.csv")))

Learning needs the extra `performance` (scipy, LightGBM); asking needs numpy alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecotone._lazy import lazy_names

if TYPE_CHECKING:
    from ecotone.orchestration.performance.learner.answers import Predictions, predict
    from ecotone.orchestration.performance.learner.checked import ROWS_MIN
    from ecotone.orchestration.performance.learner.learn import fit
    from ecotone.orchestration.performance.learner.model import LearnedModel, read_model, write_model
    from ecotone.orchestration.performance.learner.table import Table, read_table

__all__ = [
    "ROWS_MIN",
    "LearnedModel",
    "Predictions",
    "Table",
    "fit",
    "predict",
    "read_model",
    "read_table",
    "write_model",
]

__getattr__ = lazy_names(
    __name__,
    {
        ".answers": ("Predictions", "predict"),
        ".checked": ("ROWS_MIN",),
        ".learn": ("fit",),
        ".model": ("LearnedModel", "read_model", "write_model"),
        ".table": ("Table", "read_table"),
    },
)
