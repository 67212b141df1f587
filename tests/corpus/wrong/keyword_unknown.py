"""Mistyped keywords, each once."""

from __future__ import annotations

from ecotone import component, parameter, path, variant


@component(every="40 ms")
def camera() -> bytes:
    return b""


@component(on=camera, latancy="30 ms")  # ! unknown-key
def detect(frame: bytes) -> int:
    return 1


@component(evry="1 s")  # ! unknown-key
def tick() -> int:
    return 1


@component(on=camera, colour="red", laiers=["edge"])  # ! unknown-key unknown-key
def paint(frame: bytes) -> bytes:
    return frame
