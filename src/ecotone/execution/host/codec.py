"""Values to what travels on a channel, and back. Called by hosts and, for sizes, by profiling.

- bytes travel as they are; a numpy array as its bytes, with dtype and shape beside it;
- msgspec values, dataclasses, named tuples and plain data as msgpack. Arrays inside them are kept apart behind the
  msgpack, each at a 64-byte boundary, so that a frame with its metadata costs no copy on receipt;
- anything else is an error that names the component and the type.

Received arrays are read-only views of what arrived. Numpy is imported only when an array is met.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeGuard, cast

import msgspec

from ecotone.core.errors import ComponentError

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

__all__ = ["Decoder", "Encoded", "Encoder", "Encoding", "encode_answer", "encoded_size"]

Encoding = Literal["msgpack", "bytes", "array", "parts"]

_ALIGNMENT = 64
_APART = 1  # extension codes of msgpack: an array behind the msgpack, an array within it
_WITHIN = 2
_APART_MIN_BYTES = 2048  # below that a copy is cheaper than the bookkeeping
_PADDING = bytes(_ALIGNMENT)
_WHAT_TRAVELS = "bytes, numpy arrays, msgspec Structs, dataclasses, named tuples and plain data can"


class Encoded(NamedTuple):
    """A value ready to travel: the payload is `buffers` in their order, `size_bytes` together."""

    encoding: Encoding
    buffers: tuple[bytes | memoryview, ...]
    size_bytes: int
    dtype: str = ""
    shape: tuple[int, ...] = ()


class Encoder:
    """Encodes what one component emits. For one thread."""

    def __init__(self, component: str) -> None:
        self._component = component
        self._msgpack = msgspec.msgpack.Encoder(enc_hook=self._hook)
        self._apart: list[memoryview] = []
        self._apart_bytes = 0

    def encode(self, value: object) -> Encoded:
        """The buffers may share memory with `value`: use them before anyone changes it.

        Raises:
            ComponentError: `value` holds something that cannot travel.
        """
        if isinstance(value, bytes):
            return Encoded("bytes", (value,), len(value))
        if isinstance(value, (bytearray, memoryview)):
            data = bytes(value)
            return Encoded("bytes", (data,), len(data))
        if _is_array(value):
            view = self._bytes_of(value)
            return Encoded("array", (view,), len(view), value.dtype.str, value.shape)
        self._apart, self._apart_bytes = [], 0
        try:
            head = self._msgpack.encode(value)
        except (TypeError, ValueError, OverflowError, RecursionError) as error:
            raise ComponentError(f"{self._component}: its output cannot travel: {error}; {_WHAT_TRAVELS}") from None
        if not self._apart:
            return Encoded("msgpack", (head,), len(head))
        return self._with_parts(head)

    def _with_parts(self, head: bytes) -> Encoded:
        size = 8 + len(head)
        buffers: list[bytes | memoryview] = [len(head).to_bytes(8, "little"), head]
        for view in self._apart:
            padding = -size % _ALIGNMENT
            buffers += (_PADDING[:padding], view)
            size += padding + len(view)
        self._apart = []
        return Encoded("parts", tuple(buffers), size)

    def _hook(self, value: Any) -> object:
        if _is_array(value):
            view = self._bytes_of(value)
            if len(view) < _APART_MIN_BYTES:
                data = msgspec.msgpack.encode((value.dtype.str, value.shape, bytes(view)))
                return msgspec.msgpack.Ext(_WITHIN, data)
            offset = self._apart_bytes + -self._apart_bytes % _ALIGNMENT
            self._apart.append(view)
            self._apart_bytes = offset + len(view)
            return msgspec.msgpack.Ext(_APART, msgspec.msgpack.encode((value.dtype.str, value.shape, offset)))
        numpy = sys.modules.get("numpy")
        if numpy is not None and isinstance(value, numpy.generic):
            return value.item()
        raise TypeError(f"it holds a {_type_name(value)}")

    def _bytes_of(self, array: Any) -> memoryview:
        """The array's bytes in C order: its own memory when that is contiguous, else a copy."""
        import numpy as np  # noqa: PLC0415 - whoever holds an array has paid for it

        if array.dtype.hasobject or array.dtype.fields is not None:
            raise ComponentError(
                f"{self._component}: its output cannot travel: it holds a numpy array of dtype {array.dtype}; "
                "arrays of plain numbers, text and times can"
            )
        flat = np.ascontiguousarray(array).reshape(-1)
        return flat.view(np.uint8).data if flat.size else memoryview(b"")


class Decoder:
    """Decodes what one component is given, to the type that it asks for. For one thread.

    `hint` is the type of one item as the component's author wrote it; None, `object` or `Any` ask for nothing in
    particular: structs then arrive as dicts. Types that msgpack knows nothing of are taken as no hint.
    """

    def __init__(self, hint: object = None) -> None:
        self._payload: memoryview = memoryview(b"")
        self._start = 0
        self._hint = hint
        untyped = hint in {None, object, Any}
        try:
            self._msgpack = self._decoder(Any if untyped else hint)
        except (TypeError, NameError):
            self._msgpack = self._decoder(Any)

    def _decoder(self, hint: Any) -> msgspec.msgpack.Decoder[Any]:
        return msgspec.msgpack.Decoder(hint, ext_hook=self._extension, dec_hook=_as_it_is)

    def decode(self, encoding: Encoding, payload: bytes | memoryview, dtype: str, shape: tuple[int, ...]) -> object:
        """The value; arrays in it are views of `payload`, which lives as long as they do.

        Raises:
            ComponentError: it does not fit the hint.
        """
        if encoding == "bytes":
            return bytes(payload)
        if encoding == "array":
            return _array(payload, dtype, shape, 0)
        head: bytes | memoryview = payload
        if encoding == "parts":
            view = memoryview(payload)
            end = 8 + int.from_bytes(view[:8], "little")
            self._payload, self._start = view, end + -end % _ALIGNMENT
            head = view[8:end]
        try:
            return self._msgpack.decode(head)
        except msgspec.MsgspecError as error:
            raise ComponentError(f"the item does not fit the type hint {_hint_name(self._hint)}: {error}") from None
        finally:
            self._payload = memoryview(b"")

    def _extension(self, code: int, data: memoryview) -> object:
        if code == _APART:
            dtype, shape, offset = msgspec.msgpack.decode(data, type=tuple[str, tuple[int, ...], int])
            return _array(self._payload, dtype, shape, self._start + offset)
        if code == _WITHIN:
            dtype, shape, within = msgspec.msgpack.decode(data, type=tuple[str, tuple[int, ...], bytes])
            return _array(within, dtype, shape, 0)
        raise ValueError(f"unknown msgpack extension {code}")


def encoded_size(value: object, component: str = "") -> int:
    """The payload's size in bytes.

    Raises:
        ComponentError: it cannot travel.
    """
    return Encoder(component).encode(value).size_bytes


def _is_array(value: object) -> TypeGuard[np.ndarray[Any, Any]]:
    numpy = sys.modules.get("numpy")
    return numpy is not None and isinstance(value, numpy.ndarray)


def _array(payload: bytes | memoryview, dtype: str, shape: tuple[int, ...], offset: int) -> np.ndarray[Any, Any]:
    import numpy as np  # noqa: PLC0415 - only those who are sent arrays pay for it

    size = 1
    for length in shape:
        size *= length
    if size == 0:
        empty = np.zeros(shape, dtype)
        empty.flags.writeable = False
        return empty
    return np.frombuffer(payload, dtype, size, offset).reshape(shape)


def _as_it_is(kind: type, value: object) -> object:
    """Arrays come out of the extension as arrays; nothing else is converted."""
    origin = cast("Callable[..., Any] | type", getattr(kind, "__origin__", kind))
    if isinstance(origin, type) and not isinstance(value, origin):
        raise ValueError(f"expected {_hint_name(kind)}, got {_type_name(value)}")
    return value


def _type_name(value: object) -> str:
    kind = type(value)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def _hint_name(hint: object) -> str:
    return hint.__qualname__ if isinstance(hint, type) else str(hint)


def encode_answer(value: object) -> bytes:
    """The reply to a request: plain msgpack, arrays as lists, for any client.

    Raises:
        TypeError, ValueError, OverflowError: it holds something that msgpack has no word for.
    """
    return msgspec.msgpack.encode(value, enc_hook=_plain)


def _plain(value: Any) -> object:
    if _is_array(value):
        return value.tolist()
    numpy = sys.modules.get("numpy")
    if numpy is not None and isinstance(value, numpy.generic):
        return value.item()
    raise TypeError(f"it holds a {_type_name(value)}")
