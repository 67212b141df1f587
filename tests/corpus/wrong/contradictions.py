"""Keywords that contradict each other."""

from __future__ import annotations

from ecotone import component, parameter, path, variant


@component(every="40 ms")
def camera() -> bytes:
    return b""


@component(
    on=camera,
    stateful=True,
    replicas=2,  # ! contradiction
)
def detect(frame: bytes) -> int:
    return 1


@component(every="1 s", throughput="2 items/s")  # ! contradiction
def tick() -> int:
    return 1


@component(source=True, throughput="1 item/s", replicas=2)  # ! contradiction
def pulses():
    yield 1


@component(every="1 s", replicas=4)  # ! contradiction
def tock() -> int:
    return 1


@component(on=[detect, tick], join="number", batch=4)  # ! contradiction
def both(items: dict[str, int]) -> int:
    return 1


@component(on=[detect, tick], join="number", every="1 s")  # ! contradiction
def often(items: list[int]) -> int:
    return 1


@component(on=camera, stateful=False, snapshot_every="1 s")  # ! contradiction
class Count:
    def __call__(self, frame: bytes) -> int:
        return 1

    def snapshot(self) -> object:
        return None

    def restore(self, state: object) -> None:
        pass


@component(on=camera, layers=["cloud"], private=["device", "edge"])  # ! contradiction
def hide(frame: bytes) -> bytes:
    return frame
