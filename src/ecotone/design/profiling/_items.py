"""Files of encoded items: what one component emitted, for the next ones to be measured with.

Written by one worker, read by others. A file is a sequence of records: length of the header (4 bytes), header as
msgpack, payload.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec

if TYPE_CHECKING:
    from ecotone.execution.host.codec import Decoder, Encoded

__all__ = ["ItemReader", "ItemWriter"]


class _Header(msgspec.Struct, frozen=True, array_like=True):
    call: int
    encoding: Literal["msgpack", "bytes", "array", "parts"]
    size_bytes: int
    dtype: str
    shape: tuple[int, ...]


class ItemWriter:
    """Appends items until a file holds `bytes_max` of payload; later ones are left out."""

    def __init__(self, path: Path, bytes_max: float) -> None:
        self._file = path.open("wb")
        self._left_bytes = bytes_max
        self.full = False

    def write(self, call: int, item: Encoded) -> None:
        """Keep an output of the call with this number."""
        if self.full or (item.size_bytes > self._left_bytes and self._file.tell()):
            self.full = True
            return
        self._left_bytes -= item.size_bytes
        header = msgspec.msgpack.encode(_Header(call, item.encoding, item.size_bytes, item.dtype, item.shape))
        self._file.write(len(header).to_bytes(4, "little") + header)
        for buffer in item.buffers:
            self._file.write(buffer)

    def close(self) -> None:
        self._file.close()


class ItemReader:
    """Reads items in any order, each anew, so that what a component does to one is not seen again."""

    def __init__(self, path: Path, decoder: Decoder) -> None:
        self._file = path.open("rb")
        self._decoder = decoder
        self._places: list[tuple[int, _Header]] = []
        self._by_call: dict[int, int] = {}
        size = os.fstat(self._file.fileno()).st_size
        while self._file.tell() < size:
            length = int.from_bytes(self._file.read(4), "little")
            header = msgspec.msgpack.decode(self._file.read(length), type=_Header)
            self._by_call.setdefault(header.call, len(self._places))
            self._places.append((self._file.tell(), header))
            self._file.seek(header.size_bytes, os.SEEK_CUR)
        self.last_call = self._places[-1][1].call if self._places else -1

    def __len__(self) -> int:
        return len(self._places)

    def item(self, index: int) -> object:
        """The item in this place of the file."""
        place, header = self._places[index]
        payload = os.pread(self._file.fileno(), header.size_bytes, place)
        return self._decoder.decode(header.encoding, payload, header.dtype, header.shape)

    def of_call(self, call: int) -> tuple[bool, object]:
        """The first output of the call with this number, and whether there was one."""
        index = self._by_call.get(call)
        return (False, None) if index is None else (True, self.item(index))

    def close(self) -> None:
        self._file.close()
