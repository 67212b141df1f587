"""The smallest application that crosses a channel: what is measured with it is the platform."""

from __future__ import annotations

import time
from collections.abc import Iterator

from ecotone import component, output_dir


@component(every="20 ms")
def tick() -> float:
    return time.time()


@component(on=tick)
class Tock:
    """Notes the wall time of the first item that arrives."""

    def __init__(self) -> None:
        self.seen = False

    def __call__(self, sent_s: float) -> Iterator[float]:
        if not self.seen:
            self.seen = True
            (output_dir() / "first-item").write_text(f"{time.time():.6f}")
        yield time.time() - sent_s
