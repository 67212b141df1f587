"""Counts up; the sink writes every number that arrives, so that a test can see whether one is missing."""

from __future__ import annotations

import os

from ecotone import component, output_dir, parameter

period = parameter("period", "10 ms")


@component(every=period, stateful=True, snapshot_every="100 ms")
class Numbers:
    def __init__(self) -> None:
        self.next = 0

    def __call__(self) -> int:
        self.next += 1
        return self.next

    def snapshot(self) -> int:
        return self.next

    def restore(self, state: int) -> None:
        self.next = state


@component(on=Numbers)
def double(number: int) -> int:
    return 2 * number


@component(on=double)
class Sink:
    def __init__(self) -> None:
        self.file = os.open(output_dir() / "numbers.txt", os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)

    def __call__(self, number: int) -> None:
        os.write(self.file, b"%d\n" % number)
