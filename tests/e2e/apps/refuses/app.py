"""A component that can be measured, and does not start in a run."""

from __future__ import annotations

from ecotone import component, output_dir


@component(every="20 ms")
def tick() -> int:
    return 1


@component(on=tick)
class Refuses:
    def __init__(self) -> None:
        if (output_dir().parent / "plan.json").exists():
            raise ValueError("not in a run")

    def __call__(self, number: int) -> None:
        del number
