"""Private data, and how it becomes public."""

from __future__ import annotations

from ecotone import component


@component(every="1 s", layers="device", private=["device", "edge"])
def microphone() -> bytes:
    return b""


@component(on=microphone, layers=["edge", "cloud"])
def louder(sound: bytes) -> bytes:
    return sound


@component(on=[microphone, louder], releases=True, confidential=True)
def transcribe(sound: bytes) -> str:
    return ""


@component(on=transcribe, layers=["cloud"])
def store(text: str) -> None:
    pass


@component(on=louder, private=["edge"])
def loudness(sound: bytes) -> float:
    return 0.0
