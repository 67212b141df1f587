"""The stream state machine of the in-memory bus: whatever happens, nothing is lost and order is kept."""

from __future__ import annotations

import random

import anyio
import pytest
import trio.testing
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from ecotone.core.errors import NotFoundError, StreamFullError
from ecotone.infrastructure.bus import MemoryServer, StreamConfig
from ecotone.infrastructure.bus._memory_stream import DUPLICATE_WINDOW_S, StreamLog

CONSUMERS = ("one", "two")
ACK_WAIT_S = 2.0


class StreamMachine(RuleBasedStateMachine):
    """Two consumers, a writer, and time, in any order; the model is sets of sequences."""

    overflow = "reject"

    def __init__(self) -> None:
        super().__init__()
        config = StreamConfig(name="s", consumers=CONSUMERS, capacity=4, overflow=self.overflow, ack_wait_s=ACK_WAIT_S)
        self.log = StreamLog(config)
        self.now_s = 0.0
        self.accepted: list[bytes] = []
        self.dropped: set[int] = set()
        self.done: dict[str, set[int]] = {name: set() for name in CONSUMERS}
        self.seen: dict[str, list[int]] = {name: [] for name in CONSUMERS}
        self.handed: dict[str, list[tuple[int, int, float]]] = {name: [] for name in CONSUMERS}

    def kept(self) -> list[int]:
        everyone = set.intersection(*self.done.values())
        return [n + 1 for n in range(len(self.accepted)) if n + 1 not in self.dropped and n + 1 not in everyone]

    @rule(repeat=st.booleans())
    def append(self, repeat: bool) -> None:
        kept = self.kept()
        number = len(self.accepted)
        if repeat and number:
            ack = self.log.append(b"other", str(number - 1), now_s=self.now_s, wall_s=0.0)
            assert (ack.sequence, ack.duplicate) == (number, True)
            return
        data = b"%d" % number
        if len(kept) == 4 and self.overflow == "reject":
            with pytest.raises(StreamFullError):
                self.log.append(data, str(number), now_s=self.now_s, wall_s=0.0)
            return
        if len(kept) == 4:
            self.dropped.add(kept[0])
        ack = self.log.append(data, str(number), now_s=self.now_s, wall_s=0.0)
        assert (ack.sequence, ack.duplicate) == (number + 1, False)
        self.accepted.append(data)

    @rule(consumer=st.sampled_from(CONSUMERS))
    def take(self, consumer: str) -> None:
        handed = self.log.take(consumer, now_s=self.now_s)
        if handed is None:
            missing = set(self.kept()) - self.done[consumer]
            assert all(self.log.next_due_s(consumer) > self.now_s for _ in missing)
            assert missing <= {sequence for sequence, _, _ in self.handed[consumer]}
            return
        assert handed.data == self.accepted[handed.sequence - 1]
        assert handed.sequence not in self.dropped | self.done[consumer]
        earlier = [entry for entry in self.handed[consumer] if entry[0] == handed.sequence]
        assert handed.attempt == len(earlier) + 1
        assert all(due_s <= self.now_s for _, _, due_s in earlier[-1:])
        if handed.attempt == 1:
            assert handed.sequence > max(self.seen[consumer], default=0)
            self.seen[consumer].append(handed.sequence)
        self.handed[consumer].append((handed.sequence, handed.number, self.now_s + ACK_WAIT_S))

    @precondition(lambda self: any(self.handed.values()))
    @rule(data=st.data())
    def acknowledge(self, data: st.DataObject) -> None:
        consumer, (sequence, _, _) = self.pick(data)
        self.log.acknowledge(consumer, sequence)
        self.done[consumer].add(sequence)

    @precondition(lambda self: any(self.handed.values()))
    @rule(data=st.data(), delay_s=st.sampled_from([0.0, 0.5, 3.0]))
    def give_back(self, data: st.DataObject, delay_s: float) -> None:
        consumer, (sequence, number, _) = self.pick(data)
        newest = [entry for entry in self.handed[consumer] if entry[0] == sequence][-1]
        due_s = self.now_s + delay_s
        taken = self.log.postpone(consumer, sequence, number, due_s=due_s)
        assert taken == (newest[1] == number and sequence not in self.dropped | self.done[consumer])
        if taken:
            entries = self.handed[consumer]
            entries[entries.index(newest)] = (sequence, number, due_s)

    @rule(seconds=st.sampled_from([0.1, 1.0, 2.5]))
    def wait(self, seconds: float) -> None:
        self.now_s += seconds

    def pick(self, data: st.DataObject) -> tuple[str, tuple[int, int, float]]:
        consumer = data.draw(st.sampled_from([name for name in CONSUMERS if self.handed[name]]))
        return consumer, data.draw(st.sampled_from(self.handed[consumer]))

    @invariant()
    def accepted_is_acknowledged_or_dropped_or_kept(self) -> None:
        kept = self.kept()
        state = self.log.state()
        assert state.accepted == len(self.accepted)
        assert state.kept == len(kept) <= 4
        assert state.first_sequence == (kept[0] if kept else len(self.accepted) + 1)
        everyone = set.intersection(*self.done.values())
        assert len(self.accepted) == len(kept) + len(self.dropped | everyone)

    @invariant()
    def consumers_know_their_place(self) -> None:
        kept = set(self.kept())
        for name in CONSUMERS:
            state = self.log.consumer_state(name)
            delivered = {sequence for sequence, _, _ in self.handed[name]}
            assert state.in_flight == len((kept & delivered) - self.done[name])
            assert state.pending == len(kept - delivered - self.done[name])
            unfinished = kept - self.done[name]
            assert all(sequence > state.acknowledged_floor for sequence in unfinished)


class DroppingStreamMachine(StreamMachine):
    overflow = "drop_oldest"


TestReject = StreamMachine.TestCase
TestReject.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestDropOldest = DroppingStreamMachine.TestCase
TestDropOldest.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


def test_an_id_is_forgotten_after_two_minutes() -> None:
    log = StreamLog(StreamConfig(name="s", consumers=("one",)))
    log.append(b"", "id", now_s=0.0, wall_s=0.0)
    assert log.append(b"", "id", now_s=DUPLICATE_WINDOW_S, wall_s=0.0).duplicate
    assert not log.append(b"", "id", now_s=DUPLICATE_WINDOW_S + 1, wall_s=0.0).duplicate


def test_the_oldest_kept_item_tells_its_wall_time() -> None:
    log = StreamLog(StreamConfig(name="s", consumers=("one",)))
    for wall_s in (100.0, 200.0):
        log.append(b"", str(wall_s), now_s=0.0, wall_s=wall_s)
    assert log.state().oldest_time_s == 100.0
    log.acknowledge("one", 1)
    assert log.state().oldest_time_s == 200.0


def test_an_unknown_consumer_is_not_found() -> None:
    log = StreamLog(StreamConfig(name="s", consumers=("one",)))
    with pytest.raises(NotFoundError, match="two"):
        log.take("two", now_s=0.0)


@pytest.mark.parametrize("seed", range(20))
def test_readers_that_die_and_dawdle_lose_nothing(seed: int) -> None:
    """Writers that wait when the stream is full, readers that die, nak and dawdle; all in virtual time."""
    chance = random.Random(seed)
    got: dict[str, list[int]] = {name: [] for name in CONSUMERS}
    total = 60

    async def write(server: MemoryServer) -> None:
        bus = server.connect()
        for number in range(total):
            while True:
                try:
                    await bus.append("s", b"%d" % number, item_id=str(number))
                    break
                except StreamFullError:
                    await anyio.sleep(0.05)
            await anyio.sleep(chance.random() * 0.1)

    async def read_until_it_dies(server: MemoryServer, consumer: str) -> None:
        bus = server.connect()
        async with bus.consume("s", consumer, prefetch=chance.randint(1, 3)) as reader:
            async for delivery in reader:
                await anyio.sleep(chance.choice([0.01, 0.1, 0.1, 3.0]))
                fate = chance.random()
                if fate < 0.1:
                    await bus.close()
                    return
                if fate < 0.2:
                    await delivery.nak(delay_s=chance.choice([0.0, 1.0]))
                    continue
                got[consumer].append(delivery.sequence)
                await delivery.ack()

    async def read_again_and_again(server: MemoryServer, consumer: str) -> None:
        while True:
            await read_until_it_dies(server, consumer)

    async def main() -> None:
        server = MemoryServer()
        watcher = server.connect()
        await watcher.create_stream(StreamConfig(name="s", consumers=CONSUMERS, capacity=8))
        async with anyio.create_task_group() as group:
            for name in (*CONSUMERS, *CONSUMERS):
                group.start_soon(read_again_and_again, server, name)
            await write(server)
            while (await watcher.stream_state("s")).kept:  # noqa: ASYNC110
                await anyio.sleep(0.5)
            group.cancel_scope.cancel()

    clock = trio.testing.MockClock(autojump_threshold=0)
    anyio.run(main, backend="trio", backend_options={"clock": clock})
    for name in CONSUMERS:
        assert set(got[name]) == set(range(1, total + 1))
