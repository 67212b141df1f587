"""What goes out on a channel comes in equal, for every kind of value that may travel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ecotone.core.errors import ComponentError
from ecotone.execution.host.codec import Decoder, Encoder, encoded_size

_PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)
_DTYPES = st.one_of(
    hnp.boolean_dtypes(),
    hnp.integer_dtypes(),
    hnp.unsigned_integer_dtypes(),
    hnp.floating_dtypes(),
    hnp.complex_number_dtypes(),
    hnp.datetime64_dtypes(),
    hnp.unicode_string_dtypes(max_len=4),
)
_ARRAYS = hnp.arrays(_DTYPES, hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=9))


class Frame(msgspec.Struct):
    image: np.ndarray[Any, Any]
    number: int
    names: tuple[str, ...] = ()


@dataclass
class Box:
    corners: np.ndarray[Any, Any]
    score: float


class Pair(NamedTuple):
    left: np.ndarray[Any, Any]
    right: Frame


def there_and_back(value: object, hint: object = None) -> Any:
    encoded = Encoder("sender").encode(value)
    payload = b"".join(encoded.buffers)
    assert len(payload) == encoded.size_bytes == encoded_size(value)
    return Decoder(hint).decode(encoded.encoding, payload, encoded.dtype, encoded.shape)


def same(left: np.ndarray[Any, Any], right: np.ndarray[Any, Any]) -> bool:
    return left.dtype == right.dtype and left.shape == right.shape and left.tobytes() == right.tobytes()


@given(_PLAIN)
def test_plain_data(value: object) -> None:
    assert there_and_back(value) == value


@given(_ARRAYS)
def test_arrays_arrive_read_only(value: np.ndarray[Any, Any]) -> None:
    received = there_and_back(value)
    assert same(received, value)
    assert not received.flags.writeable


@given(_ARRAYS, _ARRAYS, st.integers(0, 9), st.lists(st.text(), max_size=3))
def test_structures_that_hold_arrays(left: Any, image: Any, number: int, names: list[str]) -> None:
    pair = Pair(left, Frame(image, number, tuple(names)))
    received = there_and_back(pair, Pair)
    assert isinstance(received, Pair)
    assert same(received.left, left)
    assert same(received.right.image, image)
    assert (received.right.number, received.right.names) == (number, tuple(names))


@given(st.lists(st.integers(0, 6000), max_size=4))
def test_arrays_of_all_sizes_side_by_side(sizes: list[int]) -> None:
    boxes = [Box(np.full(size, place, np.uint8), place / 2) for place, size in enumerate(sizes)]
    received = there_and_back(boxes, list[Box])
    assert all(isinstance(box, Box) for box in received)
    assert [box.corners.tolist() for box in received] == [box.corners.tolist() for box in boxes]


def test_a_large_array_in_a_structure_is_a_view_of_the_payload() -> None:
    encoded = Encoder("sender").encode(Frame(np.arange(100_000, dtype=np.float32), 3))
    payload = b"".join(encoded.buffers)
    received = Decoder(Frame).decode(encoded.encoding, payload, encoded.dtype, encoded.shape)
    assert isinstance(received, Frame)
    assert np.shares_memory(received.image, np.frombuffer(payload, np.uint8))


def test_a_large_array_is_not_copied_on_its_way_out() -> None:
    image = np.zeros((288, 640, 3), np.uint8)
    assert np.shares_memory(np.asarray(Encoder("sender").encode(image).buffers[0]), image)
    assert any(np.shares_memory(np.asarray(each), image) for each in Encoder("sender").encode({"i": image}).buffers[2:])


def test_arrays_that_are_not_contiguous() -> None:
    image = np.arange(24).reshape(4, 6)
    assert same(there_and_back(image.T), np.ascontiguousarray(image.T))
    assert same(there_and_back({"a": image[:, ::2]})["a"], np.ascontiguousarray(image[:, ::2]))


def test_numpy_numbers_become_numbers() -> None:
    assert there_and_back({"n": np.int64(3), "x": np.float32(0.5)}) == {"n": 3, "x": 0.5}


def test_without_a_hint_structures_are_dicts_and_hints_that_help_nobody_are_ignored() -> None:
    assert there_and_back(Box(np.zeros(1), 1.0))["score"] == 1.0
    assert there_and_back((1, 2), Any) == [1, 2]
    assert there_and_back((1, 2), "not a type") == [1, 2]


@pytest.mark.parametrize(
    ("value", "named"),
    [
        (object(), "a object"),
        ({"picture": Encoder("x")}, r"ecotone\.execution\.host\.codec\.Encoder"),
        (2**70, "ints"),
        (np.array([object()]), "dtype object"),
        ({"a": np.zeros(2, [("x", "i4")])}, "dtype"),
    ],
)
def test_what_cannot_travel_is_named(value: object, named: str) -> None:
    with pytest.raises(ComponentError, match=rf"detect: its output cannot travel: .*{named}"):
        Encoder("detect").encode(value)


def test_an_item_that_does_not_fit_its_hint_says_so() -> None:
    with pytest.raises(ComponentError, match=r"does not fit the type hint Frame: .*image"):
        there_and_back({"number": 3}, Frame)
    with pytest.raises(ComponentError, match=r"does not fit the type hint Frame"):
        there_and_back({"image": 3, "number": 3}, Frame)
