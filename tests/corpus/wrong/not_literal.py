"""What cannot be read without running it."""

from __future__ import annotations

from ecotone import component, parameter, path, variant


@component(every="40 ms")
def camera() -> bytes:
    return b""


import os

FAST = os.environ.get("FAST", "30 ms")
SUM = 1 + 1
TEXT = f"{SUM} ms"


@component(
    on=camera,
    latency=FAST,  # ! not-literal
    capacity=SUM,  # ! not-literal
    timeout=TEXT,  # ! not-literal
    memory="1" + " GiB",  # ! not-literal
    layers=[each for each in ("edge",)],  # ! not-literal
    attempts=int("3"),  # ! not-literal
    live=not False,  # ! not-literal
    labels={**{}},  # ! not-literal
    regions=[*"ab"],  # ! not-literal
    batch=len,  # ! not-literal
)
def detect(frame: bytes) -> int:
    return 1
