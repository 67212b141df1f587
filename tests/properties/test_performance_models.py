"""Whatever a table holds: it is refused with a message, or learnt from, and then every answer is a number in order."""

from __future__ import annotations

import functools

import numpy
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.runs import law_runs

from ecotone.core.errors import InputError
from ecotone.orchestration.performance.learner import fit, predict, read_table
from ecotone.orchestration.performance.learner.table import Table

_CELLS = st.sampled_from([0.5, 1.0, 2.0, 3.0, 10.0, 1000.0, 1e-6, 1e9])


@functools.cache
def model():
    return fit(law_runs(20), "figure")


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=20))
def test_answers_inside_the_range_are_finite_and_in_order(shares):
    low = numpy.array([each.low for each in model().features])
    high = numpy.array([each.high for each in model().features])
    said = predict(model(), Table(("x", "y"), low + numpy.array(shares) * (high - low)))
    for each in said[:3]:
        assert numpy.isfinite(each).all()
    assert (said.low > 0).all()
    assert (said.low <= said.prediction).all()
    assert (said.prediction <= said.high).all()
    assert [not reason for reason in said.reasons] == said.supported.tolist()


@settings(max_examples=5, deadline=None)
@given(st.lists(st.tuples(_CELLS, _CELLS, _CELLS), min_size=7, max_size=10))
def test_any_runs_are_refused_or_learnt_from(rows):
    table = Table(("a", "b", "t"), numpy.array(rows))
    try:
        learnt = fit(table, "t")
    except InputError as error:
        assert error.problems
        return
    said = predict(learnt, table)
    assert numpy.isfinite(said.prediction).all()
    assert (said.low <= said.prediction).all()
    assert (said.prediction <= said.high).all()


@settings(max_examples=50, deadline=None)
@given(st.text(alphabet='ab1,;.\t\n\r"e-_ \ufeff\0x', max_size=60) | st.binary(max_size=40))
def test_any_file_is_read_or_refused_with_places(tmp_path_factory, text):
    path = tmp_path_factory.getbasetemp() / "any.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    try:
        table = read_table(path)
    except InputError as error:
        assert error.problems
        assert all(each.place.file == str(path) and each.message for each in error.problems)
        return
    assert len(table) > 0
    assert numpy.isfinite(table.values).all()
    assert len(set(table.names)) == len(table.names)
