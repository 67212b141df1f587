"""Objects: one file, one link for each consumer, and what the sweeper may remove."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import pytest

from ecotone.core.errors import NotFoundError, UnavailableError
from ecotone.core.messages import DEAD_LETTERS, ObjectRef
from ecotone.execution.host.objects import Objects, expired, sweep, sweep_cutoff_s

if TYPE_CHECKING:
    from pathlib import Path


def files(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root / "objects")) for path in root.rglob("*") if path.is_file())


def test_each_consumer_has_its_own_link_and_the_bytes_outlive_it(tmp_path: Path) -> None:
    sender, receiver = Objects(tmp_path, "n1"), Objects(tmp_path, "n2")
    name = sender.put("camera", ("detect", "quality"), (b"head", memoryview(b"x" * 100_000), b""))
    ref = ObjectRef(node="n1", name=name, size_bytes=100_004)
    assert files(tmp_path) == [f"n1/detect/{name}", f"n1/quality/{name}"]
    view = receiver.fetch(ref, "detect")
    receiver.remove(ref, "detect")
    receiver.remove(ref, "detect")
    assert files(tmp_path) == [f"n1/quality/{name}"]
    assert bytes(view[:6]) == b"headxx"
    assert (len(view), view.readonly) == (100_004, True)
    with pytest.raises(NotFoundError, match="is gone"):
        receiver.fetch(ref, "detect")


def test_many_buffers_are_written_in_order(tmp_path: Path) -> None:
    objects = Objects(tmp_path, "n")
    buffers = [bytes([number]) * (number * 100) for number in range(200)]
    name = objects.put("a", ("b",), buffers)
    assert bytes(objects.fetch(ObjectRef(node="n", name=name, size_bytes=0), "b")) == b"".join(buffers)


def test_a_discarded_object_leaves_nothing(tmp_path: Path) -> None:
    objects = Objects(tmp_path, "n")
    name = objects.put("a", ("b", "c"), (b"x",))
    objects.touch(name, ("b", "c"))
    objects.discard(name, ("b", "c"))
    objects.touch(name, ("b", "c"))
    assert files(tmp_path) == []


def test_no_room_is_said_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "writev", full)
    with pytest.raises(UnavailableError, match="no room for an object of 3 bytes"):
        Objects(tmp_path, "n").put("a", ("b",), (b"xyz",))
    assert files(tmp_path) == []


def test_dead_letters_keep_the_object(tmp_path: Path) -> None:
    objects = Objects(tmp_path, "n")
    ref = ObjectRef(node="n", name=objects.put("a", ("b",), (b"xyz",)), size_bytes=3)
    objects.keep_for_dead_letters(ref, "b")
    objects.keep_for_dead_letters(ref, "b")
    objects.remove(ref, "b")
    assert bytes(objects.fetch(ref, DEAD_LETTERS)) == b"xyz"
    objects.keep_for_dead_letters(ref, "b")


def test_the_sweeper_removes_what_is_older_than_the_streams_oldest_item(tmp_path: Path) -> None:
    objects = Objects(tmp_path, "n")
    old, new, other = (objects.put(producer, ("b",), (b"x",)) for producer in ("a", "a", "a2"))
    for name, time_s in ((old, 1000.0), (new, 2000.0), (other, 1000.0)):
        os.utime(tmp_path / "objects/n/b" / name, (time_s, time_s))
    cutoff_s = sweep_cutoff_s(1500.0, 3000.0)
    assert expired(1000.0, cutoff_s)
    assert not expired(1499.0, cutoff_s)
    assert sweep(tmp_path, producer="a", consumer="b", cutoff_s=cutoff_s) == 1
    assert files(tmp_path) == sorted([f"n/b/{new}", f"n/b/{other}"])
    assert sweep(tmp_path, producer="a", consumer="b", cutoff_s=sweep_cutoff_s(None, 2040.0)) == 1
    assert sweep(tmp_path, producer="a", consumer="nobody", cutoff_s=9e9) == 0
