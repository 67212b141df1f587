"""Numbers that an MPI program doubles, in cells."""

from __future__ import annotations

from typing import Any

from ecotone import CellRun, component, path


@component(every="100 ms")
class Count:
    def __init__(self) -> None:
        self.last = 0

    def __call__(self) -> int:
        self.last += 1
        return self.last


@component(on=Count, cell="double.cell", ranks=2, latency="2 s", memory="256 MiB")
def double(number: int, run: CellRun) -> int:
    return int(run("double", files={"in.txt": str(number).encode()}).files["out.txt"])


@component(on=double, snapshot_every="200 ms")
class Sink:
    def __init__(self) -> None:
        self.total = self.count = 0

    def __call__(self, number: int) -> None:
        assert number % 2 == 0
        self.total += number
        self.count += 1

    def snapshot(self) -> dict[str, Any]:
        return {"total": self.total, "count": self.count}

    def restore(self, state: dict[str, Any]) -> None:
        self.total, self.count = state["total"], state["count"]


path(Count, double, Sink, latency="5 s")
