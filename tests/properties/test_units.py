"""Quantities: what is printed is read again as the same value, and no text makes the parser raise anything else."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecotone.core.units import Dimension, QuantityError, format_quantity, parse_quantity

DIMENSIONS = st.sampled_from(list(Dimension))


@given(dimension=DIMENSIONS, value=st.floats(min_value=1e-6, max_value=1e12), data=st.data())
def test_any_unit_of_a_dimension_scales_by_its_factor(dimension: Dimension, value: float, data: st.DataObject) -> None:
    unit = data.draw(st.sampled_from(sorted(dimension.units)))
    space = data.draw(st.sampled_from(["", " ", "  "]))
    assert math.isclose(
        parse_quantity(f"{value!r}{space}{unit}", dimension), value * dimension.units[unit], rel_tol=1e-12
    )


@given(dimension=DIMENSIONS, value=st.floats(min_value=0, max_value=1e15))
def test_what_is_shown_is_read_again_to_three_digits(dimension: Dimension, value: float) -> None:
    shown = format_quantity(value, dimension)
    if dimension is Dimension.PRICE_PER_BYTE and value > 1:
        return  # more than a thousand million EUR for a GB
    again = parse_quantity(shown, dimension)
    smallest = min(dimension.units.values())
    assert math.isclose(again, value, rel_tol=0.01, abs_tol=smallest * 0.006), shown


@given(dimension=DIMENSIONS, number=st.integers(1, 99_999), exponent=st.integers(-3, 3))
def test_fifteen_digits_are_what_was_written(dimension: Dimension, number: int, exponent: int) -> None:
    unit = next(each for each, factor in dimension.units.items() if factor == 1.0) if dimension.base in (
        "s", "B", "/s", "B/s", "J", "W", "EUR/h", ""
    ) else None  # fmt: skip
    if unit is not None:
        assert parse_quantity(f"{number}e{exponent} {unit}", dimension) == float(f"{number}e{exponent}")


@given(value=st.integers(0, 100))
def test_per_cent_are_the_fractions_people_mean(value: int) -> None:
    assert parse_quantity(f"{value} %", Dimension.FRACTION) == value / 100


@given(
    dimension=DIMENSIONS,
    value=st.one_of(
        st.text(max_size=30),
        st.integers(),
        st.floats(),
        st.booleans(),
        st.none(),
        st.binary(max_size=5),
        st.lists(st.integers(), max_size=3),
        st.builds("{}{}".format, st.floats(), st.sampled_from(["ms", " GiB", "/s", "%", " EUR/h", "", "\0"])),
    ),
)
def test_anything_else_is_refused_with_a_kind_and_a_message(dimension: Dimension, value: object) -> None:
    try:
        parsed = parse_quantity(value, dimension)
    except QuantityError as error:
        assert error.code in {"wrong-type", "wrong-unit", "out-of-range"}
        assert str(error)
    else:
        assert 0 <= parsed < math.inf


@given(dimension=DIMENSIONS, other=DIMENSIONS, data=st.data())
def test_another_dimension_s_unit_is_called_by_its_name(
    dimension: Dimension, other: Dimension, data: st.DataObject
) -> None:
    unit = data.draw(st.sampled_from(sorted(set(other.units) - {""})))
    if unit not in dimension.units:
        with pytest.raises(QuantityError, match=r"is an? "):
            parse_quantity(f"3 {unit}", dimension)
