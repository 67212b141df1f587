"""Variants that use other code."""

from __future__ import annotations

from ecotone import component, parameter, path, variant


@component(every="40 ms")
def camera() -> bytes:
    return b""


def by_hand(frame: bytes, size: int) -> int:
    return size


def without_item(*, size: int) -> int:  # ! no-item-argument
    return size


@component(
    on=camera,
    variants=[
        variant("own", size=1),
        variant("hand", use=by_hand),  # ! missing-setting
        variant("text", use="by_hnd", size=3),  # ! unknown-function
        variant("itemless", use=without_item, size=4),
        variant("number", use=3),  # ! wrong-type
    ],
)
def broken_list(frame: bytes, size: int) -> int:
    return size


@component(
    on=camera,
    variants=[
        variant("own", size=1),
        variant("hand", use=by_hand),  # ! missing-setting
        variant("text", use="by_hnd", size=3),  # ! unknown-function
        variant("itemless", use=without_item, size=4),
    ],
)
def detect(frame: bytes, size: int) -> int:
    return size
