"""Python components that `own_truth` measures, each with sizes to learn from and others to be asked about."""

from __future__ import annotations

import hashlib
import random
import re
import zlib
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy

__all__ = ["COMPONENTS", "Component"]

Settings = dict[str, float]


class Component(NamedTuple):
    """`work(settings)` makes an input and returns what handles it; `beyond` are above all values learnt from."""

    name: str
    work: Callable[[Settings], Callable[[], object]]
    learnt: list[Settings]
    asked: list[Settings]
    beyond: list[Settings]
    extrapolate: str


def picture(settings: Settings) -> Callable[[], object]:
    """Grey, smoothed, edges, a histogram: as before a detector."""
    side, batch = int(settings["side"]), int(settings["batch"])
    frames = numpy.random.default_rng(0).integers(0, 256, (batch, side, side, 3)).astype(numpy.uint8)

    def handle() -> object:
        found = []
        for frame in frames:
            grey = frame.astype(numpy.float32) @ numpy.array([0.299, 0.587, 0.114], dtype=numpy.float32)
            smooth = (grey[:-2] + 2 * grey[1:-1] + grey[2:]) / 4
            smooth = (smooth[:, :-2] + 2 * smooth[:, 1:-1] + smooth[:, 2:]) / 4
            edges = numpy.hypot(numpy.diff(smooth, axis=0)[:, :-1], numpy.diff(smooth, axis=1)[:-1])
            found.append(numpy.histogram(edges, bins=32, range=(0, 360))[0])
        return found

    return handle


def words(settings: Settings) -> Callable[[], object]:
    """Patterns found in text, and the commonest words."""
    draw = random.Random(0)
    letters = "etaoinshrdlcumwfgypbvk"
    vocabulary = ["".join(draw.choices(letters, k=draw.randint(2, 9))) for _ in range(2000)]
    pieces = [draw.choice(vocabulary) for _ in range(int(settings["kilobytes"] * 1000 / 6.5))]
    for place in range(0, len(pieces), 40):
        pieces[place] = f"{draw.randint(1, 28)}/{draw.randint(1, 12)}/20{draw.randint(10, 30)}"
    text = " ".join(pieces)
    sources = [r"\d+/\d+/\d{4}", r"\b\w+ing\b", r"[aeiou]{3,}", r"\b(\w)\w*\1\b", r"\w+@\w+", r"\bth\w+"]
    patterns = [re.compile(source) for source in sources[: int(settings["patterns"])]]

    def handle() -> object:
        counts = [sum(1 for _ in pattern.finditer(text)) for pattern in patterns]
        return counts, Counter(text.split()).most_common(10)

    return handle


def packed(settings: Settings) -> Callable[[], object]:
    """Deflate of something that can be packed a little."""
    level, count = int(settings["level"]), int(settings["kilobytes"] * 1000)
    data = numpy.random.default_rng(0).normal(0.0, 12.0, count).astype(numpy.int8).tobytes()
    return lambda: zlib.compress(data, level)


def digests(settings: Settings) -> Callable[[], object]:
    """Checksums of blocks on some threads: hashing lets other threads run."""
    blocks = [bytes([number]) * int(settings["kilobytes"] * 1000) for number in range(int(settings["blocks"]))]
    threads = int(settings["threads"])
    if threads == 1:
        return lambda: [hashlib.sha256(block).digest() for block in blocks]
    pool = ThreadPoolExecutor(threads)
    return lambda: list(pool.map(lambda block: hashlib.sha256(block).digest(), blocks))


def _grid(**values: list[float]) -> list[Settings]:
    found: list[Settings] = [{}]
    for name, its in values.items():
        found = [{**each, name: value} for each in found for value in its]
    return found


COMPONENTS = [
    Component(
        "picture",
        picture,
        _grid(side=[64, 128, 256, 512], batch=[1, 2, 4, 8]),
        _grid(side=[96, 192, 384], batch=[1, 3, 6]),
        _grid(side=[640, 768], batch=[1, 3]),
        "side",
    ),
    Component(
        "words",
        words,
        _grid(kilobytes=[10, 30, 100, 300], patterns=[1, 2, 4, 6]),
        _grid(kilobytes=[20, 60, 200], patterns=[2, 3, 5]),
        _grid(kilobytes=[500, 600], patterns=[2, 5]),
        "kilobytes",
    ),
    Component(
        "packed",
        packed,
        _grid(kilobytes=[20, 60, 200, 600], level=[1, 3, 6, 9]),
        _grid(kilobytes=[40, 100, 400], level=[2, 5, 7]),
        _grid(kilobytes=[1000, 1500], level=[2, 6]),
        "kilobytes",
    ),
    Component(
        "digests",
        digests,
        _grid(kilobytes=[20, 80, 320], blocks=[2, 8, 32], threads=[1, 2]),
        _grid(kilobytes=[40, 160], blocks=[4, 16], threads=[1, 2]),
        _grid(kilobytes=[640], blocks=[4, 16], threads=[1, 2]),
        "kilobytes",
    ),
]
