"""How much a source emits is not to be guessed."""

from __future__ import annotations

from ecotone import component, parameter, path, variant


@component(every="40 ms")
def camera() -> bytes:
    return b""


@component(source=True)  # ! missing-throughput
def pulses():
    yield 1


@component(source=True, throughput="1 item")  # ! wrong-unit
def more():
    yield 1
