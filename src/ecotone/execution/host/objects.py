"""Large payloads by reference: files in fast memory, one hard link for each consumer.

    <shared root>/objects/<producer's node>/<consumer>/<name>

The producer's host writes the file once and links it into every consumer's folder; a consumer maps it when the item
arrives and removes its own link when the item is acknowledged. The kernel counts: the memory is free when the last
link and the last map are gone. What a crash leaves behind, the agent sweeps. A name begins with the producer's.
"""

from __future__ import annotations

import errno
import mmap
import os
import secrets
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from ecotone.core.errors import NotFoundError, UnavailableError
from ecotone.core.messages import DEAD_LETTERS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ecotone.core.messages import ObjectRef

__all__ = ["OBJECT_MIN_BYTES", "Objects", "expired", "sweep", "sweep_cutoff_s"]

OBJECT_MIN_BYTES = 64 * 1024
"""From this size on a payload travels by reference."""

_SWEEP_MARGIN_S = 30.0
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.ENOMEM}


class Objects:
    """The objects that one host writes and reads."""

    def __init__(self, shared_root: Path, node: str) -> None:
        self._root = str(shared_root / "objects")
        self._node = node
        self._boot = secrets.token_hex(4)
        self._numbers = count()

    def put(self, producer: str, consumers: Sequence[str], buffers: Sequence[bytes | memoryview]) -> str:
        """Write an object for `consumers` (at least one); returns its name.

        Raises:
            UnavailableError: there is no room; nothing is left behind.
        """
        name = f"{producer}.{self._boot}{next(self._numbers):010x}"
        first, *others = (self._path(self._node, consumer, name) for consumer in consumers)
        try:
            _write(first, buffers)
            for other in others:
                _link(first, other)
        except OSError as error:
            self.discard(name, consumers)
            if error.errno not in _NO_ROOM:
                raise
            size = sum(len(each) for each in buffers)
            raise UnavailableError(
                f"no room for an object of {size} bytes in {self._root}: {error.strerror}", retry_after_s=0.1
            ) from None
        return name

    def touch(self, name: str, consumers: Sequence[str]) -> None:
        """Say that an object that is not published yet is still wanted; the sweeper goes by its time."""
        for consumer in consumers:
            try:
                os.utime(self._path(self._node, consumer, name))
            except FileNotFoundError:
                continue
            return

    def discard(self, name: str, consumers: Sequence[str]) -> None:
        """Remove all links of an object that was never published, or that a full live channel has dropped."""
        for consumer in consumers:
            _unlink(self._path(self._node, consumer, name))

    def fetch(self, ref: ObjectRef, consumer: str) -> memoryview:
        """The object's bytes, read-only; they stay while the view does, whatever happens to the link.

        Raises:
            NotFoundError: the link is gone.
        """
        path = self._path(ref.node, consumer, ref.name)
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            raise NotFoundError(f"the object {path} is gone") from None
        try:
            return memoryview(mmap.mmap(descriptor, 0, mmap.MAP_SHARED | mmap.MAP_POPULATE, mmap.PROT_READ))
        finally:
            os.close(descriptor)

    def remove(self, ref: ObjectRef, consumer: str) -> None:
        """`consumer` needs it no more. Idempotent."""
        _unlink(self._path(ref.node, consumer, ref.name))

    def keep_for_dead_letters(self, ref: ObjectRef, consumer: str) -> None:
        """Another link, under the name of the dead-letter stream, for whoever looks into what went wrong."""
        try:
            _link(self._path(ref.node, consumer, ref.name), self._path(ref.node, DEAD_LETTERS, ref.name))
        except (FileNotFoundError, FileExistsError):
            return

    def _path(self, node: str, consumer: str, name: str) -> str:
        return f"{self._root}/{node}/{consumer}/{name}"


def _write(path: str, buffers: Sequence[bytes | memoryview]) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags, 0o600)
    except FileNotFoundError:
        Path(path).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(path, flags, 0o600)
    try:
        left = [memoryview(each) for each in buffers if len(each)]
        while left:
            written = os.writev(descriptor, left[:64])
            while left and written >= len(left[0]):
                written -= len(left.pop(0))
            if written:
                left[0] = left[0][written:]
    finally:
        os.close(descriptor)


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except FileNotFoundError:
        Path(target).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.link(source, target)


def _unlink(path: str) -> None:
    try:
        os.unlink(path)  # noqa: PTH108 - a Path costs more than the call
    except FileNotFoundError:
        return


def sweep_cutoff_s(oldest_kept_s: float | None, now_s: float) -> float:
    """Before which wall time a link is a leftover, when its stream's oldest item was accepted at `oldest_kept_s`.

    The margin covers items that are written but not accepted yet: their producers touch them more often than that.
    """
    return (now_s if oldest_kept_s is None else min(oldest_kept_s, now_s)) - _SWEEP_MARGIN_S


def expired(modified_s: float, cutoff_s: float) -> bool:
    """Whether a link that was written at `modified_s` belongs to no item any more."""
    return modified_s < cutoff_s


def sweep(shared_root: Path, *, producer: str, consumer: str, cutoff_s: float) -> int:
    """Remove what crashes have left of the channel from `producer` to `consumer`; returns the number of links.

    Called by the agent now and then, with `sweep_cutoff_s` of the state of the producer's stream.
    """
    removed = 0
    for path in shared_root.glob(f"objects/*/{consumer}/{producer}.*"):
        try:
            if expired(path.stat().st_mtime, cutoff_s):
                path.unlink()
                removed += 1
        except FileNotFoundError:
            continue
    return removed
