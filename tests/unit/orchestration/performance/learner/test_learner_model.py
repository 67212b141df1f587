"""Models learnt from runs whose law is known: right, honest about what they do not know, and open data."""

from __future__ import annotations

import math
import subprocess
import sys

import msgspec
import numpy
import pytest
from tests.support.runs import amdahl, amdahl_runs, law_runs

from ecotone.core.errors import InputError
from ecotone.orchestration.performance.learner import fit, predict, read_model, write_model
from ecotone.orchestration.performance.learner.assess import assess, is_learnt_from, learning_curve
from ecotone.orchestration.performance.learner.checked import of_model
from ecotone.orchestration.performance.learner.fitting import (
    fit_monomials,
    fit_posynomial,
    fit_process,
    merged,
)
from ecotone.orchestration.performance.learner.forms import Posynomial, Tree, Trees
from ecotone.orchestration.performance.learner.process import Prior
from ecotone.orchestration.performance.learner.table import Table

BATCHES = (1, 2, 4, 8, 16, 32)


@pytest.fixture(scope="module")
def inside():
    """A model for questions inside of its range."""
    return fit(law_runs(70), "figure")


@pytest.fixture(scope="module")
def beyond():
    """A model for larger batches."""
    return fit(amdahl_runs(BATCHES, repeats=2), "seconds", extrapolate=["batch"])


def asked(**columns):
    return Table(tuple(columns), numpy.array(list(columns.values()), dtype=float).T)


def test_a_model_in_a_file_answers_the_same(inside, tmp_path):
    path = tmp_path / "model.json"
    path.write_text("old")
    write_model(path, inside)
    questions = law_runs(50, seed=3)
    first, second = predict(inside, questions), predict(read_model(path), questions)
    for one, other in zip(first, second, strict=True):
        assert numpy.array_equal(one, other)
    assert of_model(read_model(path)) == ""
    assert list(tmp_path.iterdir()) == [path]


def test_trees_answer_what_lightgbm_answers(monkeypatch):
    import lightgbm

    from ecotone.orchestration.performance.learner.families import Fitter

    trained = []
    train = lightgbm.train
    monkeypatch.setattr(lightgbm, "train", lambda *a, **k: trained.append(train(*a, **k)) or trained[-1])
    random = numpy.random.default_rng(0)
    z = random.integers(0, 9, (200, 3)) / 3
    logs = z[:, 0] - z[:, 1] * z[:, 2] + 0.1 * random.normal(size=200)
    forms = Fitter(z, logs).fit("trees")
    assert forms is not None
    assert isinstance(forms[0], Trees)
    at = numpy.r_[z, random.uniform(-1, 4, (200, 3))]
    rounded = at.astype(numpy.float32).astype(numpy.float64)
    assert numpy.allclose(forms[0].predict(at), trained[-1].predict(rounded), rtol=0, atol=1e-9)


def test_a_power_law_and_a_sum_of_two_are_found_again():
    random = numpy.random.default_rng(1)
    z = random.uniform(0, 3, (120, 2))
    at = random.uniform(-0.5, 4, (60, 2))

    def power(z):
        return 0.7 + 1.3 * z[:, 0] - 0.8 * z[:, 1]

    def two(z):
        return numpy.log(2 * numpy.exp(1.0 * z[:, 0]) + 9 * numpy.exp(-1.0 * z[:, 1]))

    assert numpy.abs(fit_posynomial(merged(z, power(z)), 1).predict(at) - power(at)).max() < 0.01
    assert numpy.abs(fit_posynomial(merged(z, two(z)), 2).predict(at) - two(at)).max() < 0.2
    assert numpy.abs(fit_monomials(merged(z, two(z))).predict(at) - two(at)).max() < 0.01


def test_a_sum_of_increasing_terms_is_increasing():
    form = Posynomial(centre=(0.0,), offsets=(0.0, -1.0), exponents=((0.2,), (1.5,)))
    said = form.predict(numpy.linspace(-5, 5, 50)[:, None])
    assert (numpy.diff(said) > 0).all()


def test_a_process_goes_through_what_was_measured():
    z = numpy.linspace(0, 3, 12)[:, None]
    logs = numpy.sin(z[:, 0])
    form = fit_process(merged(z, logs), Prior(), z.min(axis=0), z.max(axis=0))
    assert numpy.abs(form.predict(z) - logs).max() < 0.02
    between = z[:-1] + 0.13
    assert numpy.abs(form.predict(between) - numpy.sin(between[:, 0])).max() < 0.03


def test_repeats_count_as_one_configuration():
    runs = merged(numpy.array([[1.0], [2.0], [1.0]]), numpy.array([1.0, 5.0, 3.0]))
    assert runs.z.tolist() == [[1.0], [2.0]]
    assert runs.logs.tolist() == [2.0, 5.0]
    assert runs.repeats.tolist() == [2.0, 1.0]


def test_intervals_hold_about_nine_of_ten_new_runs(inside):
    runs = law_runs(1000, seed=7)
    said = predict(inside, runs)
    found = assess(said, runs.column("figure"))
    assert found.all.coverage is not None
    assert found.all.error is not None
    assert 0.80 <= found.all.coverage <= 0.97
    assert found.all.error < 0.06
    assert (said.low <= said.prediction).all()
    assert (said.prediction <= said.high).all()
    inner = (runs.values[:, :2] > 1.5).all(axis=1) & (runs.values[:, :2] < 9.5).all(axis=1)
    assert said.supported[inner].mean() > 0.95


def test_amdahl_is_extrapolated(beyond):
    batches, cores = [64, 64, 64, 96, 128], [1, 3, 8, 4, 2]
    said = predict(beyond, asked(batch=batches, cores=cores))
    truth = amdahl(numpy.array(batches), numpy.array(cores))
    assert numpy.abs(said.prediction / truth - 1).max() < 0.08
    assert said.supported.all()
    assert beyond.question == "extrapolation"
    assert beyond.reason


def test_far_beyond_what_was_seen_is_not_supported(beyond):
    said = predict(beyond, asked(batch=[1e6, 8, 8], cores=[2, 64, 2]))
    assert said.supported.tolist() == [False, False, True]
    assert "batch is 1e+06, too far from what was measured (1 to 32)" in said.reasons[0]
    assert "cores is 64" in said.reasons[1]


def test_a_column_of_two_values_that_went_with_another_is_not_supported():
    table = amdahl_runs(BATCHES, noise=0.01)
    device = numpy.where(table.column("batch") >= 8, 2.0, 1.0)
    runs = Table(("device", *table.names), numpy.c_[device, table.values])
    model = fit(runs, "seconds", extrapolate=["device"])
    said = predict(model, asked(device=[4, 2], batch=[16, 16], cores=[2, 2]))
    assert not said.supported[0]
    assert said.reasons[0]


def test_constants_are_kept_and_their_other_values_not_supported():
    table = law_runs(30, noise=0.01)
    runs = Table(("k", *table.names), numpy.c_[numpy.full(30, 7.0), table.values])
    model = fit(runs, "figure")
    assert model.constants == {"k": 7.0}
    said = predict(model, asked(k=[7, 8], x=[5, 5], y=[5, 5]))
    assert said.supported.tolist()[1] is False
    assert said.prediction[0] == said.prediction[1]
    assert "k was always 7" in said.reasons[1]


def test_a_column_with_zeros_and_negative_values():
    random = numpy.random.default_rng(0)
    x = random.uniform(-3, 3, 40)
    model = fit(Table(("x", "t"), numpy.c_[x, numpy.exp(0.5 * x)]), "t")
    said = predict(model, asked(x=[-2, 0, 2]))
    assert numpy.abs(said.prediction / numpy.exp([-1, 0, 1]) - 1).max() < 0.05


@pytest.mark.parametrize(
    "extrapolate",
    [
        [],
        ["x"],
    ],
)
def test_eight_rows_are_enough_to_say_something(extrapolate, tmp_path):
    x = numpy.arange(1.0, 9.0)
    model = fit(Table(("x", "t"), numpy.c_[x, 2 * x]), "t", extrapolate=extrapolate)
    said = predict(model, asked(x=[4.5]))
    assert said.prediction[0] == pytest.approx(9, rel=0.05)
    write_model(tmp_path / "m.json", model)
    assert numpy.array_equal(predict(read_model(tmp_path / "m.json"), asked(x=[4.5])).high, said.high)


def test_seven_rows_are_not():
    with pytest.raises(InputError, match="too few rows"):
        fit(Table(("x", "t"), numpy.ones((7, 2))), "t")


@pytest.mark.parametrize(
    ("text", "word"),
    [(b"", "not a performance model"), (b"{}", "missing required field"), (b"\xff", "not a performance model")],
)
def test_what_is_no_model_is_told(text, word, tmp_path):
    path = tmp_path / "m.json"
    path.write_bytes(text)
    with pytest.raises(InputError, match=word):
        read_model(path)
    with pytest.raises(InputError, match="cannot be read"):
        read_model(tmp_path)


def test_a_model_of_an_older_version_is_told(inside, tmp_path):
    path = tmp_path / "m.json"
    path.write_bytes(b'{"version": 1, "intervals": {"beyond_quantile": 2.0}}')
    with pytest.raises(InputError, match=r"version 1, this Ecotone reads 2; fit it again"):
        read_model(path)


def test_a_model_whose_parts_do_not_fit_is_found_out(inside):
    changed = msgspec.structs.replace
    member = inside.members[0]
    looping = Tree(feature=(0, -1), threshold=(0.0, 0.0), left=(0, 0), right=(1, 0), value=(0.0, 1.0))
    short = Posynomial(centre=(0.0,), offsets=(0.0,), exponents=((1.0,),))
    wrong = [
        changed(inside, features=()),
        changed(inside, members=()),
        changed(inside, features=inside.features[:1]),
        changed(inside, constants={"x": 1.0}),
        changed(inside, members=(changed(member, weight=3.0),)),
        changed(inside, members=(changed(member, weight=1.0, forms=()),)),
        changed(inside, members=(changed(member, weight=1.0, forms=(short,)),)),
        changed(inside, members=(changed(member, weight=1.0, forms=(Trees(trees=(looping,)),)),)),
        changed(inside, features=(changed(inside.features[0], low=-1.0), *inside.features[1:])),
        changed(inside, intervals=changed(inside.intervals, noise_slopes=())),
    ]
    assert of_model(inside) == ""
    assert all(of_model(each) for each in wrong)


def test_a_model_that_does_not_say_how_far_it_reaches_is_found_out(beyond):
    changed = msgspec.structs.replace
    asked_of = beyond.extrapolated[0]
    assert of_model(beyond) == ""
    assert of_model(changed(beyond, extrapolated=(changed(asked_of, reach=0.0),)))
    assert of_model(changed(beyond, extrapolated=(changed(asked_of, column="other"),)))


def test_a_model_asked_for_what_it_has_not_seen(inside):
    with pytest.raises(InputError) as caught:
        predict(inside, asked(x=[1]))
    assert "'y'" in str(caught.value)
    with pytest.raises(InputError, match="above zero"):
        predict(inside, asked(x=[1, 0], y=[1, 1]))


def test_more_runs_make_a_better_model():
    told = []
    curve = learning_curve(law_runs(20, noise=0.02), "figure", progress=lambda f, m: told.append((f, m)))
    assert curve.predictions is not None
    assert [each.runs for each in curve.points] == sorted(each.runs for each in curve.points)
    assert curve.points[-1].runs == 16
    assert len(curve.held) == len(curve.predictions.prediction) == 4
    assert curve.points[-1].error < 2 * max(each.error for each in curve.points[:2])
    assert [each for each, _ in told] == sorted(each for each, _ in told)
    assert learning_curve(law_runs(8), "figure").points == ()


def test_the_table_that_was_learnt_from_is_known_again(inside):
    assert is_learnt_from(inside, law_runs(70))
    assert not is_learnt_from(inside, law_runs(70, seed=2))


def test_errors_are_told_of_what_was_measured(inside):
    runs = law_runs(20, seed=5)
    measured = runs.column("figure").copy()
    measured[:5] = math.nan
    found = assess(predict(inside, runs), measured)
    assert found.all.rows == found.supported.rows + found.unsupported.rows == 15
    assert assess(predict(inside, runs), numpy.full(20, math.nan)).all.error is None


@pytest.mark.parametrize("missing", ["scipy", "lightgbm"])
def test_without_the_extra_it_says_what_to_install_and_models_can_still_be_asked(missing, tmp_path):
    code = f"""
import sys
sys.modules[{missing!r}] = None
from ecotone.core.errors import MissingExtraError
from ecotone.orchestration.performance.learner import predict, read_model, read_table
try:
    from ecotone.orchestration.performance.learner import fit
    import numpy
    from ecotone.orchestration.performance.learner.fitting import fit_trees
    from ecotone.orchestration.performance.learner.families import Fitter
    Fitter(numpy.random.default_rng(0).random((60, 2)), numpy.ones(60)).fit("trees")
except MissingExtraError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == f"{missing} is not installed; install it with: pip install 'ecotone[performance]'\n"


def runs_of_a_law(rows: int, cores: list[float], seed: int = 0) -> Table:
    random = numpy.random.default_rng(seed)
    n = random.choice(cores, rows)
    size = random.choice([1.0, 2.0, 4.0, 8.0], rows)
    t = (0.4 + 3.0 * size / n + 0.05 * size) * numpy.exp(random.normal(0, 0.02, rows))
    return Table(("n", "size", "t"), numpy.c_[n, size, t])


@pytest.mark.parametrize("rows", [30, 120])
def test_an_extrapolating_model_is_narrow_inside_and_wider_beyond(rows):
    model = fit(runs_of_a_law(rows, [1, 2, 3, 4, 6, 8]), "t", extrapolate=["n"])
    inside, beyond = runs_of_a_law(60, [2, 4, 8], seed=1), runs_of_a_law(60, [12, 16], seed=2)
    near, far = predict(model, inside), predict(model, beyond)
    assert near.supported.mean() > 0.9
    assert numpy.median(near.high / near.prediction) < numpy.median(far.high / far.prediction)
    assert numpy.median(numpy.abs(far.prediction / beyond.column("t") - 1)) < 0.12


def test_a_column_that_repeated_another_is_not_supported_where_they_part():
    x = numpy.arange(1.0, 51.0)
    model = fit(Table(("x", "same", "t"), numpy.c_[x, x, 2 * x]), "t")
    assert model.repeated == {"same": "x"}
    said = predict(model, Table(("x", "same"), numpy.array([[5.0, 5.0], [5.0, 6.0]])))
    assert said.supported.tolist() == [True, False]
    assert "cannot be told apart" in said.reasons[1]


def test_supported_is_half_of_the_interval_within_thirty_percent():
    model = fit(runs_of_a_law(120, [1, 2, 3, 4, 6, 8]), "t", extrapolate=["n"])
    questions = asked(n=[2.0, 16.0], size=[2.0, 2.0])
    reached = set()
    for quantile in numpy.geomspace(1.0, 60.0, 25):
        wider = msgspec.structs.replace(model, intervals=msgspec.structs.replace(model.intervals, quantile=quantile))
        said = predict(wider, questions)
        share = (said.high - said.low) / 2 / said.prediction
        assert (said.supported == (share <= 0.30)).all()
        assert all(ok or "half of its interval" in why for ok, why in zip(said.supported, said.reasons, strict=True))
        reached |= set(said.supported.tolist())
    assert reached == {True, False}


def test_intervals_widen_with_the_distance_where_cuts_erred():
    random = numpy.random.default_rng(3)
    n = random.choice([1.0, 2.0, 3.0, 4.0, 6.0, 8.0], 150)
    bend = numpy.where(n > 3, (n / 3) ** 0.6, 1.0)  # nothing below three tells of it
    table = Table(("n", "t"), numpy.c_[n, bend / n * numpy.exp(random.normal(0, 0.01, 150))])
    model = fit(table, "t", extrapolate=["n"])
    assert model.intervals.growth > 0.0
    said = predict(model, asked(n=[8.0, 9.0, 12.0, 24.0, 48.0]))
    assert (numpy.diff(said.high / said.prediction) > 0).all()
    level = msgspec.structs.replace(model, intervals=msgspec.structs.replace(model.intervals, growth=0.0))
    same = predict(level, asked(n=[24.0]))
    assert same.high[0] / same.prediction[0] < said.high[3] / said.prediction[3]


def test_a_shape_that_does_not_fit_inside_is_not_believed_beyond():
    random = numpy.random.default_rng(4)
    x, y = random.choice([1.0, 2.0], 120), random.choice([1.0, 2.0, 4.0, 8.0, 16.0], 120)
    t = (1.0 + 0.5 * x * y) * numpy.exp(random.normal(0, 0.005, 120))
    model = fit(Table(("x", "y", "t"), numpy.c_[x, y, t]), "t", extrapolate=["x"])  # two values: nothing to cut off
    assert "power law + process" not in {member.family for member in model.members}
    said = predict(model, asked(x=[4.0], y=[8.0]))
    assert said.prediction[0] == pytest.approx(17.0, rel=0.1)


def test_values_that_hardly_differ_do_not_make_intervals_endless():
    random = numpy.random.default_rng(5)
    x = random.choice([1.0, 2.0, 3.0, 4.0, 5.0, 5.0 * (1 + 1e-9)], 60)
    t = 3.0 * x * numpy.exp(random.normal(0, 0.02, 60))
    model = fit(Table(("x", "t"), numpy.c_[x, t]), "t", extrapolate=["x"])
    said = predict(model, asked(x=[7.0]))
    assert math.isfinite(model.intervals.growth)
    assert said.prediction[0] == pytest.approx(21.0, rel=0.1)
    assert said.high[0] < 30.0
