"""Declarations of parameters."""

from __future__ import annotations

from ecotone import component, parameter, path, variant


clip = parameter("clip name", "bikes")  # ! bad-name
size = parameter("size", [1, 2])  # ! wrong-type
again = parameter("rate", 1)
twice = parameter("rate", 2)  # ! duplicate-name
bare = parameter("bare")  # ! missing-key
many = parameter("many", 1, "help")  # ! positional-argument
extra = parameter("extra", 1, unit="s")  # ! unknown-key
huge = parameter("huge", 1e999)  # ! out-of-range


@component(every="1 s", capacity=size, attempts=again)
def tick() -> int:
    return 1
