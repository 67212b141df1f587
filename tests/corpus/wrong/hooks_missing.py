"""State that cannot be stored."""

from __future__ import annotations

from ecotone import component, parameter, path, variant


@component(every="40 ms")
def camera() -> bytes:
    return b""


@component(on=camera, snapshot_every="1 s")  # ! missing-hook
class Count:
    def __call__(self, frame: bytes) -> int:
        return 1


@component(on=camera, stateful=True)  # ! missing-hook
class Half:
    def __call__(self, frame: bytes) -> int:
        return 1

    def snapshot(self) -> object:
        return None


@component(on=camera, snapshot_every="1 s")  # ! missing-hook
def total(frame: bytes) -> int:
    return 1


@component(on=camera, snapshot_every="1 s")
class Odd:
    def __call__(self, frame: bytes) -> int:
        return 1

    def snapshot(self, where: str) -> object:  # ! hook-signature
        return where

    def restore(self) -> None:  # ! hook-signature
        pass
