"""Components that feed each other in a circle."""

from __future__ import annotations

from ecotone import component, parameter, path, variant


@component(every="40 ms")
def camera() -> bytes:
    return b""


@component(on=["camera", "last"])  # ! cycle
def first(frame: bytes) -> bytes:
    return frame


@component(on=first)
def middle(frame: bytes) -> bytes:
    return frame


@component(on=middle)
def last(frame: bytes) -> bytes:
    return frame


@component(on=last)
def beside(frame: bytes) -> bytes:
    return frame


@component(on="pong")  # ! cycle
def ping(frame: bytes) -> bytes:
    return frame


@component(on=ping)
def pong(frame: bytes) -> bytes:
    return frame
