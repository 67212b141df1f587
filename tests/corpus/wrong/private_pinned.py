"""A consumer of private data where it may not be."""

from __future__ import annotations

from ecotone import component, parameter, path, variant


@component(every="40 ms")
def camera() -> bytes:
    return b""


@component(every="1 s", private=["device", "edge"])
def microphone() -> bytes:
    return b""


@component(on=microphone)
def louder(sound: bytes) -> bytes:
    return sound


@component(on=louder, layers=["cloud"])  # ! contradiction
def transcribe(sound: bytes) -> str:
    return ""


@component(on=transcribe)
def store(text: str) -> None:
    return None
