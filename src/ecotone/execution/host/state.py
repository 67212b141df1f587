"""The stored state of a stateful component: its snapshot, and which items it holds.

A snapshot is one value of the key-value bucket `state`; from 512 KiB on the value names a file in the run's folder.
Inputs are acknowledged once a snapshot that holds them is stored. What comes again nevertheless, because the host died
between the two, is recognised by its sequence.
"""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from ecotone.core.errors import NotFoundError
from ecotone.execution.host.codec import Decoder, Encoding

if TYPE_CHECKING:
    from ecotone.execution.host.codec import Encoded

__all__ = ["BUCKET_STATE", "Handled", "StateStore", "StoredState"]

BUCKET_STATE = "state"

_FILE_MIN_BYTES = 512 * 1024
_WINDOW = 1 << 14  # a stream keeps far fewer items: what is further back will not come again


class Handled:
    """A set of sequences, kept small: all up to `floor`, and those `above`."""

    def __init__(self, floor: int = 0, above: tuple[int, ...] = ()) -> None:
        self.floor = floor
        self.above = set(above)

    def __contains__(self, sequence: int) -> bool:
        return sequence <= self.floor or sequence in self.above

    def add(self, sequence: int) -> None:
        if sequence <= self.floor:
            return
        self.above.add(sequence)
        while self.floor + 1 in self.above:
            self.floor += 1
            self.above.discard(self.floor)
        if sequence - self.floor > 2 * _WINDOW:  # a live channel has dropped items: the floor cannot wait for them
            self.floor = sequence - _WINDOW
            self.above = {each for each in self.above if each > self.floor}


class StoredState(msgspec.Struct, frozen=True):
    """A snapshot as it is stored. `handled`: floor and the sequences above it, by producer. `file`: where the payload
    is when it is not in `payload`."""

    encoding: Encoding
    dtype: str
    shape: tuple[int, ...]
    handled: dict[str, tuple[int, tuple[int, ...]]]
    payload: bytes = b""
    file: str = ""


class StateStore:
    """Turns snapshots into what the bus keeps, and back."""

    def __init__(self, folder: Path, component: str) -> None:
        self._folder = folder
        self._component = component
        self._file = ""

    def pack(self, state: Encoded, handled: dict[str, Handled]) -> bytes:
        """The value to store; a large payload is written to a file first."""
        file, payload = "", b"".join(state.buffers)
        if state.size_bytes >= _FILE_MIN_BYTES:
            file, payload = str(self._write(payload)), b""
        stored = StoredState(
            encoding=state.encoding,
            dtype=state.dtype,
            shape=state.shape,
            handled={name: (each.floor, tuple(each.above)) for name, each in handled.items()},
            payload=payload,
            file=file,
        )
        return msgspec.msgpack.encode(stored)

    def stored(self, data: bytes) -> None:
        """What `pack` gave is safe now: the file of the snapshot before it can go."""
        file = msgspec.msgpack.decode(data, type=StoredState).file
        if self._file and self._file != file:
            Path(self._file).unlink(missing_ok=True)
        self._file = file

    def unpack(self, data: bytes) -> tuple[object, dict[str, Handled]]:
        """The state, decoded without a hint, and what it holds.

        Raises:
            NotFoundError: its file is gone.
        """
        stored = msgspec.msgpack.decode(data, type=StoredState)
        self._file = stored.file
        try:
            payload = Path(stored.file).read_bytes() if stored.file else stored.payload
        except FileNotFoundError:
            raise NotFoundError(f"the snapshot of {self._component} is gone: {stored.file}") from None
        value = Decoder().decode(stored.encoding, payload, stored.dtype, stored.shape)
        return value, {name: Handled(floor, above) for name, (floor, above) in stored.handled.items()}

    def remove_leftovers(self) -> None:
        """Called once at the start, after `unpack`: files that a killed host had written for no stored snapshot. No
        other host writes for this component, since it has one replica."""
        for path in (self._folder / BUCKET_STATE).glob(f"{self._component}.*"):
            if str(path) != self._file:
                path.unlink(missing_ok=True)

    def _write(self, payload: bytes) -> Path:
        folder = self._folder / BUCKET_STATE
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = folder / f"{self._component}.{secrets.token_hex(6)}"
        path.write_bytes(payload)
        return path
