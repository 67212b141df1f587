"""Inputs that no component is."""

from __future__ import annotations

from ecotone import component, parameter, path, variant


@component(every="40 ms")
def camera() -> bytes:
    return b""


@component(on="camra")  # ! unknown-input
def detect(frame: bytes) -> int:
    return 1


def helper(frame: bytes) -> bytes:
    return frame


@component(on=helper)  # ! not-a-component
def count(frame: bytes) -> int:
    return 1


@component(
    on=[
        "camera",
        "Count",  # ! unknown-input
    ]
)
def total(frame: bytes) -> int:
    return 1


path(detect, total, latency="1 s")
