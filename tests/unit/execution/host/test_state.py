"""Snapshots as they are stored, and the set of sequences that they hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecotone.core.errors import NotFoundError
from ecotone.execution.host.codec import Encoder
from ecotone.execution.host.state import Handled, StateStore

if TYPE_CHECKING:
    from pathlib import Path


@given(st.lists(st.integers(1, 200)))
def test_a_set_of_sequences_is_what_was_added(sequences: list[int]) -> None:
    handled = Handled()
    for sequence in sequences:
        handled.add(sequence)
    assert [each for each in range(1, 201) if each in handled] == sorted(set(sequences))
    assert all(each > handled.floor for each in handled.above)


def test_the_set_stays_small_when_a_live_channel_leaves_gaps() -> None:
    handled = Handled()
    for sequence in range(2, 100_000, 2):
        handled.add(sequence)
    assert len(handled.above) <= 1 << 14
    assert 99_998 in handled
    assert 99_999 not in handled


@pytest.mark.parametrize("size", [10, 600_000])
def test_a_snapshot_comes_back_with_what_it_holds(tmp_path: Path, size: int) -> None:
    store = StateStore(tmp_path, "total")
    state = {"model": np.arange(size, dtype=np.uint8), "count": 3}
    data = store.pack(Encoder("total").encode(state), {"a": Handled(4, (7, 9)), "b": Handled()})
    store.stored(data)
    assert len(data) < 2000
    value, handled = StateStore(tmp_path, "total").unpack(data)
    assert isinstance(value, dict)
    assert value["count"] == 3
    assert np.array_equal(value["model"], state["model"])
    assert [each for each in range(1, 12) if each in handled["a"]] == [1, 2, 3, 4, 7, 9]
    assert handled["b"].floor == 0


def test_the_file_of_the_snapshot_before_goes_when_the_next_is_stored(tmp_path: Path) -> None:
    store = StateStore(tmp_path, "total")
    for number in range(3):
        data = store.pack(Encoder("total").encode(bytes([number]) * 600_000), {})
        store.stored(data)
    (file,) = (tmp_path / "state").iterdir()
    assert store.unpack(data)[0] == bytes([2]) * 600_000
    file.unlink()
    with pytest.raises(NotFoundError, match="the snapshot of total is gone"):
        store.unpack(data)


def test_files_of_snapshots_that_were_never_stored_go_at_the_next_start(tmp_path: Path) -> None:
    first, other = StateStore(tmp_path, "total"), StateStore(tmp_path, "total2")
    large = Encoder("total").encode(bytes(600_000))
    data = first.pack(large, {})
    first.stored(data)
    first.pack(large, {})  # killed before it was stored
    other.stored(other.pack(large, {}))
    second = StateStore(tmp_path, "total")
    second.unpack(data)
    second.remove_leftovers()
    assert len(list((tmp_path / "state").iterdir())) == 2
    assert second.unpack(data)[0] == bytes(600_000)
    StateStore(tmp_path, "nobody").remove_leftovers()
