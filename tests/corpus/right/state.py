"""State of every sort, and classes that inherit what the platform calls."""

from __future__ import annotations

import abc

from ecotone import component


class Counting(abc.ABC):
    def __init__(self) -> None:
        self.seen = 0

    def snapshot(self) -> object:
        return self.seen

    def restore(self, state: int) -> None:
        self.seen = state

    @abc.abstractmethod
    def count(self) -> int: ...


@component(every="20 ms")
def numbers() -> int:
    return 3


@component(on=numbers, stateful=True)
class Inherited(Counting):
    def __call__(self, number: int) -> int:
        self.seen += number
        return self.count()

    def count(self) -> int:
        return self.seen


@component(on=numbers, snapshot_every="5 s")
class Often(Counting):
    def __call__(self, number: int) -> int:
        return number

    def count(self) -> int:
        return self.seen


@component(on=numbers, stateful=True)
class Forgetful:
    def __call__(self, number: int) -> int:
        return number


@component(on=numbers, stateful=True)
def global_state(number: int) -> int:
    return number


@component(on=numbers)
class NotStateful:
    """Its hooks are its own business."""

    def __call__(self, number: int) -> int:
        return number

    def snapshot(self, path: str) -> str:
        return path
