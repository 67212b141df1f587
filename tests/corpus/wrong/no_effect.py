"""Keywords that say nothing without another."""

from __future__ import annotations

from ecotone import component, parameter, path, variant


@component(every="40 ms")
def camera() -> bytes:
    return b""


@component(
    on=camera,
    percentile=95,  # ! no-effect
    batch_wait="20 ms",  # ! no-effect
    join="number",  # ! no-effect
    releases=True,  # ! no-effect
)
def detect(frame: bytes) -> int:
    return 1


@component(request=True, batch=4)  # ! no-effect
def ask(question: str) -> str:
    return question


@component(every="1 s", on=camera, batch=4)  # ! no-effect
def second(frames: list[bytes]) -> int:
    return 1


@component(source=True, throughput="1 item/s", batch=4)  # ! no-effect
def pulses():
    yield 1
