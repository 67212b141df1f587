"""The kinds of work, each about 10 ms long on an ordinary server. Called by the worker.

A work is made once (its data are there, its code is warm) and then repeated; it returns how much it did. Those that
take a number of threads do `threads` times the work of one on as many threads, or share it as the library does.
"""
# ruff: noqa: PLC0415 - a process imports what its kinds need

from __future__ import annotations

import base64
import hashlib
import importlib
import os
import tempfile
import zlib
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ecotone.design.profiling._score import PYTHON_STEPS, python_work

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Work = Callable[[], float]

__all__ = ["make_work"]

_COPIED_BYTES = 48 * 2**20
"""Copied from one array to another: no cache holds both."""
_FILE_BYTES = 4 * 2**20
# Two ONNX models of one operator whose weights are an input: Conv (32 to 64 channels, 3x3, 56x56) and MatMulInteger
# (256x256 by 256x256), as `onnx.helper.make_model` writes them. They stand here so that the package onnx is not needed.
_CONVOLUTION = (
    "CAgSADp+CiIKAXgKAXcSAXkiBENvbnYqEQoEcGFkc0ABQAFAAUABoAEHEgFnWhsKAXgSFgoUCAESEAoCCAEKAgggCgIIOAoCCDhaGwoBdxIWChQI"
    "ARIQCgIIQAoCCCAKAggDCgIIA2IbCgF5EhYKFAgBEhAKAggBCgIIQAoCCDgKAgg4QgQKABAN"
)
_INT8 = (
    "CAg6YgoYCgF4CgF3EgF5Ig1NYXRNdWxJbnRlZ2VyEgFnWhUKAXgSEAoOCAISCgoDCIACCgMIgAJaFQoBdxIQCg4IAxIKCgMIgAIKAwiAAmIVCgF5"
    "EhAKDggGEgoKAwiAAgoDCIACQgQKABAN"
)


def make_work(kind: str, threads: int, folder: str) -> Work | None:
    """The work, warm; None where this machine cannot do it: a package or a place to write is missing."""
    makers: dict[str, Callable[[], Work | None]] = {
        "python": _python,
        "objects": _objects,
        "arrays": _arrays,
        "memory": lambda: _memory(threads),
        "matmul": _matmul,
        "half": _half,
        "convolution": lambda: _convolution(threads),
        "int8": lambda: _int8(threads),
        "hash": lambda: _hash(threads),
        "codec": _codec,
        "system": _system,
        "disk_write": lambda: _disk(folder, read=False),
        "disk_read": lambda: _disk(folder, read=True),
    }
    work = makers[kind]()
    if work is not None:
        work()
    return work


def _python() -> Work:
    """The same as the interpreted half of `machine_score`, so that the two agree."""

    def work() -> float:
        python_work()
        return float(PYTHON_STEPS)

    return work


def _objects() -> Work:
    """Making and forgetting them: every language runtime has its own way, and every memory its own speed."""

    def work() -> float:
        total = 0
        for number in range(10_000, 50_000):
            total += number * number % 1009 + number
        words = [str(number) for number in range(15_000)]
        pairs = sorted((word[::-1], [len(word)]) for word in words)
        return 40_000.0 * 3 + len(pairs) * 4.0 + 0.0 * total

    return work


def _arrays() -> Work:
    import numpy as np

    values = np.linspace(0.0, 1.0, 256, dtype=np.float32)

    def work() -> float:
        found = values
        for _ in range(1500):
            found = np.sqrt(found * 0.5 + 0.25)
            found = np.where(found > 0.3, found, values)
        return 1500 * 5.0

    return work


def _memory(threads: int) -> Work:
    import numpy as np

    size = _COPIED_BYTES // 8
    source, target = np.ones(size), np.zeros(size)
    bounds = [size * part // threads for part in range(threads + 1)]
    parts = [slice(low, high) for low, high in pairwise(bounds)]
    each = _on_threads(threads)

    def work() -> float:
        each(lambda part: np.copyto(target[part], source[part]), parts)
        return 2.0 * _COPIED_BYTES

    return work


def _matmul() -> Work:
    import numpy as np

    size = 384
    left = np.linspace(-1.0, 1.0, size * size, dtype=np.float32).reshape(size, size)
    out = np.empty_like(left)

    def work() -> float:
        for _ in range(8):
            np.matmul(left, left, out=out)
        return 8 * 2.0 * size**3

    return work


def _half() -> Work:
    import numpy as np

    values = np.linspace(-1.0, 1.0, 1 << 16, dtype=np.float16)
    out = np.empty_like(values)

    def work() -> float:
        for _ in range(4):
            np.add(values * values, values, out=out)
        return 4 * 2.0 * values.size

    return work


def _hash(threads: int) -> Work:
    data = bytes(range(256)) * (1 << 14)
    each = _on_threads(threads)

    def work() -> float:
        each(lambda block: hashlib.sha256(block).digest(), [data] * threads)
        return float(len(data) * threads)

    return work


def _codec() -> Work:
    data = b"".join(b"%d,%.5f;" % (number % 97, number / 7) for number in range(24_000))

    def work() -> float:
        zlib.decompress(zlib.compress(data, 1))
        return float(len(data))

    return work


def _system() -> Work:
    reading, writing = os.pipe()

    def work() -> float:
        for _ in range(8_000):
            os.write(writing, b"x")
            os.read(reading, 1)
        return 16_000.0

    return work


def _disk(folder: str, *, read: bool) -> Work | None:
    try:
        descriptor, name = tempfile.mkstemp(prefix=".ecotone-calibration-", dir=folder)
    except OSError:
        return None
    Path(name).unlink()
    data = os.urandom(_FILE_BYTES)

    def write() -> float:
        os.pwrite(descriptor, data, 0)
        os.fsync(descriptor)
        return float(_FILE_BYTES)

    def work_read() -> float:
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)  # from the disk, not from memory
        return float(len(os.pread(descriptor, _FILE_BYTES, 0)))

    try:
        write()
    except OSError:
        os.close(descriptor)
        return None
    return work_read if read else write


def _convolution(threads: int) -> Work | None:
    import numpy as np

    inputs = {"x": np.ones((1, 32, 56, 56), np.float32), "w": np.full((64, 32, 3, 3), 0.01, np.float32)}
    return _onnx(_CONVOLUTION, inputs, threads, repeats=6, amount=2.0 * 64 * 32 * 9 * 56 * 56)


def _int8(threads: int) -> Work | None:
    import numpy as np

    inputs = {"x": np.ones((256, 256), np.uint8), "w": np.ones((256, 256), np.int8)}
    return _onnx(_INT8, inputs, threads, repeats=60, amount=2.0 * 256**3)


def _onnx(model: str, inputs: dict[str, Any], threads: int, *, repeats: int, amount: float) -> Work | None:
    try:
        runtime: Any = importlib.import_module("onnxruntime")
    except ImportError:
        return None
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 4
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # the other works need the cores
    session = runtime.InferenceSession(base64.b64decode(model), options, providers=["CPUExecutionProvider"])

    def work() -> float:
        for _ in range(repeats):
            session.run(None, inputs)
        return repeats * amount

    return work


def _on_threads(threads: int) -> Callable[[Callable[[Any], object], Iterable[Any]], None]:
    """Calls a function for each element, on as many threads where there are several."""
    if threads == 1:

        def here(function: Callable[[Any], object], elements: Iterable[Any]) -> None:
            for element in elements:
                function(element)

        return here
    pool = ThreadPoolExecutor(threads)

    def there(function: Callable[[Any], object], elements: Iterable[Any]) -> None:
        list(pool.map(function, elements))

    return there
