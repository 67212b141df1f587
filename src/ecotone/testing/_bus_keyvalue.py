"""Conformance of `KeyValue`. Part of `bus_conformance`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from ecotone.core.errors import ConflictError
from ecotone.infrastructure.bus.interface import Entry
from ecotone.testing._bus_steps import LIMIT_S, new_name, raises, soon

if TYPE_CHECKING:
    from ecotone.infrastructure.bus.interface import Bus
    from ecotone.testing._bus_steps import Connect

__all__ = ["KeyValueConformance"]


class KeyValueConformance:
    """Keys, compare-and-set, watches."""

    async def test_an_absent_key_has_no_entry(self, connect: Connect) -> None:
        bus = await connect()
        assert await bus.get(new_name(), "absent") is None
        assert await bus.keys(new_name()) == ()

    async def test_a_key_keeps_its_newest_value_and_its_revision_grows(self, connect: Connect) -> None:
        bus, other = await connect(), await connect()
        bucket = new_name()
        first = await bus.put(bucket, "nodes.edge-1_a", b"old")
        await bus.put(bucket, "between", b"")
        second = await bus.put(bucket, "nodes.edge-1_a", b"new")
        assert 0 < first < second
        assert await other.get(bucket, "nodes.edge-1_a") == Entry("nodes.edge-1_a", b"new", second)

    async def test_an_empty_value_is_a_value(self, connect: Connect) -> None:
        bus = await connect()
        bucket = new_name()
        revision = await bus.put(bucket, "key", b"")
        assert await bus.get(bucket, "key") == Entry("key", b"", revision)

    async def test_buckets_do_not_see_each_other(self, connect: Connect) -> None:
        bus = await connect()
        bucket = new_name()
        await bus.put(bucket, "key", b"here")
        await bus.put(f"{bucket}.more", "key", b"there")
        entry = await bus.get(bucket, "key")
        assert entry is not None
        assert entry.value == b"here"
        assert await bus.get(f"{bucket}-2", "key") is None

    async def test_compare_and_set_takes_only_the_newest_revision(self, connect: Connect) -> None:
        bus = await connect()
        bucket = new_name()
        first = await bus.put(bucket, "key", b"1")
        second = await bus.compare_and_set(bucket, "key", b"2", revision=first)
        assert second > first
        for wrong in (first, second + 1, 0):
            with raises(ConflictError):
                await bus.compare_and_set(bucket, "key", b"3", revision=wrong)
        assert await bus.get(bucket, "key") == Entry("key", b"2", second)

    async def test_revision_zero_creates_an_absent_or_deleted_key(self, connect: Connect) -> None:
        bus = await connect()
        bucket = new_name()
        await bus.compare_and_set(bucket, "key", b"1", revision=0)
        with raises(ConflictError):
            await bus.compare_and_set(bucket, "key", b"2", revision=0)
        await bus.delete(bucket, "key")
        again = await bus.compare_and_set(bucket, "key", b"3", revision=0)
        assert await bus.get(bucket, "key") == Entry("key", b"3", again)

    async def test_a_revision_from_before_the_deletion_conflicts(self, connect: Connect) -> None:
        bus = await connect()
        bucket = new_name()
        revision = await bus.put(bucket, "key", b"1")
        await bus.delete(bucket, "key")
        with raises(ConflictError):
            await bus.compare_and_set(bucket, "key", b"2", revision=revision)
        assert await bus.get(bucket, "key") is None

    async def test_many_writers_with_compare_and_set_lose_no_update(self, connect: Connect) -> None:
        buses = [await connect() for _ in range(3)]
        bucket = new_name()

        async def add_five(bus: Bus) -> None:
            done = 0
            while done < 5:
                entry = await bus.get(bucket, "sum")
                value, revision = (0, 0) if entry is None or entry.value is None else (int(entry.value), entry.revision)
                try:
                    await bus.compare_and_set(bucket, "sum", b"%d" % (value + 1), revision=revision)
                except ConflictError:
                    continue
                done += 1

        with anyio.fail_after(LIMIT_S):
            async with anyio.create_task_group() as group:
                for writer in range(9):
                    group.start_soon(add_five, buses[writer % 3])
        entry = await buses[0].get(bucket, "sum")
        assert entry is not None
        assert entry.value == b"45"

    async def test_deleting_an_absent_key_changes_nothing(self, connect: Connect) -> None:
        bus = await connect()
        bucket = new_name()
        async with bus.watch(bucket) as watch:
            await bus.delete(bucket, "key")
            await bus.put(bucket, "key", b"1")
            seen = [await soon(watch)]
            await bus.delete(bucket, "key")
            await bus.delete(bucket, "key")
            await bus.put(bucket, "last", b"2")
            seen += [await soon(watch), await soon(watch)]
        assert [(entry.key, entry.value) for entry in seen] == [("key", b"1"), ("key", None), ("last", b"2")]

    async def test_keys_are_those_with_a_value_sorted(self, connect: Connect) -> None:
        bus = await connect()
        bucket = new_name()
        for key in ("b", "a.z", "a", "gone"):
            await bus.put(bucket, key, b"1")
        await bus.delete(bucket, "gone")
        assert await bus.keys(bucket) == ("a", "a.z", "b")

    async def test_a_watch_shows_what_is_there_then_each_change(self, connect: Connect) -> None:
        bus, other = await connect(), await connect()
        bucket = new_name()
        await bus.put(bucket, "gone", b"0")
        await bus.put(bucket, "b", b"1")
        await bus.put(bucket, "a", b"2")
        await bus.put(bucket, "b", b"3")
        await bus.delete(bucket, "gone")
        async with other.watch(bucket) as watch:
            present = [await soon(watch), await soon(watch)]
            assert {entry.key: entry.value for entry in present} == {"a": b"2", "b": b"3"}
            await bus.put(bucket, "c", b"4")
            await bus.delete(bucket, "a")
            changes = [await soon(watch), await soon(watch)]
            await bus.put(bucket, "a", b"5")
            changes.append(await soon(watch))
        assert [(entry.key, entry.value) for entry in changes] == [("c", b"4"), ("a", None), ("a", b"5")]
        revisions = [entry.revision for entry in changes]
        assert revisions == sorted(revisions)
        assert revisions[0] > max(entry.revision for entry in present)

    async def test_a_watch_can_be_narrowed(self, connect: Connect) -> None:
        bus = await connect()
        bucket = new_name()
        await bus.put(bucket, "nodes.a", b"1")
        await bus.put(bucket, "plan", b"1")
        async with bus.watch(bucket, "nodes.*") as nodes, bus.watch(bucket, "plan") as plan:
            assert (await soon(nodes)).key == "nodes.a"
            assert (await soon(plan)).value == b"1"
            await bus.put(bucket, "nodes.b.cpu", b"2")
            await bus.put(bucket, "plan", b"2")
            await bus.put(bucket, "nodes.c", b"2")
            assert (await soon(nodes)).key == "nodes.c"
            assert (await soon(plan)).value == b"2"

    async def test_a_watch_arrives_at_the_newest_value(self, connect: Connect) -> None:
        bus, other = await connect(), await connect()
        bucket = new_name()
        async with other.watch(bucket, "key") as watch:
            for number in range(50):
                await bus.put(bucket, "key", b"%d" % number)
                await bus.delete(bucket, "key")
            newest = await bus.put(bucket, "key", b"newest")
            revisions: list[int] = []
            while not revisions or revisions[-1] != newest:
                revisions.append((await soon(watch)).revision)
        assert revisions == sorted(revisions)
