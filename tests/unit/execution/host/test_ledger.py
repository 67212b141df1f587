"""The ledger: what is done is known for good, gaps are dropped items, nothing counts twice."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given
from hypothesis import strategies as st

from ecotone.execution.host.ledger import Ledger, Mark


def test_gaps_count_as_dropped_until_they_turn_up(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "deep" / "ledger")
    assert ledger.mark(1) == Mark(first=True, dropped=0)
    assert ledger.mark(4) == Mark(first=True, dropped=2)
    assert ledger.mark(3) == Mark(first=True, dropped=-1)
    assert ledger.mark(3) == Mark(first=False, dropped=0)
    assert [ledger.done(sequence) for sequence in range(1, 6)] == [True, False, True, True, False]
    ledger.close()
    ledger.close()


def test_an_item_that_is_dropped_after_delivery(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger")
    assert ledger.mark(3, handled=False) == Mark(first=True, dropped=3)
    assert ledger.mark(2, handled=False) == Mark(first=False, dropped=0)
    assert not ledger.done(3)
    ledger.close()


def test_it_outlives_its_host_and_wraps_around(tmp_path: Path) -> None:
    first, second = Ledger(tmp_path / "ledger"), Ledger(tmp_path / "ledger")
    first.mark(5)
    assert second.done(5)
    assert second.mark(100_000) == Mark(first=True, dropped=99_994)
    assert first.done(5)
    assert not first.done(99_999)
    assert first.mark(100_001 + 65_536).dropped == 65_536
    assert not first.done(100_002)
    first.close()
    second.close()


@given(st.lists(st.tuples(st.integers(1, 60), st.integers(0, 2)), max_size=80))
def test_any_order_over_any_replicas_counts_each_item_once(marks: list[tuple[int, int]]) -> None:
    with TemporaryDirectory() as folder:
        replicas = [Ledger(Path(folder) / "ledger") for _ in range(3)]
        results = [replicas[replica].mark(sequence) for sequence, replica in marks]
        sequences = {sequence for sequence, _ in marks}
        assert sum(result.first for result in results) == len(sequences)
        assert sum(result.dropped for result in results) == max(sequences, default=0) - len(sequences)
        assert all(replicas[0].done(sequence) == (sequence in sequences) for sequence in range(1, 61))
        for replica in replicas:
            replica.close()
