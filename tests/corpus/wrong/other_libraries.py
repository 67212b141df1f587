"""Decorators of other libraries, and ours under other names."""

from __future__ import annotations

from ecotone import component, parameter, path, variant


@component(every="40 ms")
def camera() -> bytes:
    return b""


import functools

import ecotone as e
from ecotone import component as c


@functools.cache
@c(on=camera, latency="1 GB")  # ! wrong-unit
def detect(frame: bytes, anything: int) -> int:
    return 1


@e.component(on=detect, capasity=3)  # ! unknown-key
@functools.lru_cache(maxsize=1)
def count(number: int) -> int:
    return 1


e.path(camera, detect, count, latency=e.parameter)  # ! not-literal
