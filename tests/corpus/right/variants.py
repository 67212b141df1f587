"""Variants of functions and classes, with other code, in a constant, and with parameters in them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ecotone import component, parameter, variant

factor = parameter("factor", 0.5)
deep = parameter("deep", False, help="look twice")
least = parameter("least", 0.8)


def same(output: int | None, reference: int | None) -> float:
    return 1.0 if output == reference else 0.0


def half(number: int, *, factor: float = 0.5) -> int:
    return int(number * factor)


@component(every="100 ms")
def numbers() -> int:
    return 42


SLOW = variant("slow", depth=3, accuracy="99 %")
WAYS = [SLOW, variant("fast", depth=1, accuracy=0.9)]


@component(on=numbers, variants=WAYS, accuracy=least)
@dataclass
class Search:
    depth: int

    def __call__(self, number: int) -> int:
        return number * self.depth


@component(
    on=Search,
    agreement=same,
    variants=[
        variant("exact"),
        variant("half", use=half, factor=factor),
        variant("text", use="half", factor=0.25),
        variant("deep", use="Deep", twice=deep),
    ],
)
def exact(number: int) -> int:
    return number


class Deep:
    def __init__(self, **settings: bool) -> None:
        self.settings = settings

    def __call__(self, number: int) -> int:
        return number


@component(on=exact, variants=variant("only", operation="double"))
class Operation:
    def __init__(self, operation: str, *more: object) -> None:
        self.operation: Callable[[int], int] = lambda number: number

    def __call__(self, number: int) -> int | None:
        return self.operation(number)
