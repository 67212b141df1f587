"""Paths that are none."""

from __future__ import annotations

from ecotone import component, parameter, path, variant


@component(every="40 ms")
def camera() -> bytes:
    return b""


@component(on=camera)
def detect(frame: bytes) -> bytes:
    return frame


@component(on=detect)
def count(frame: bytes) -> int:
    return 1


path(camera, count, latency="100 ms")  # ! path-not-connected
path(count, detect, latency="100 ms")  # ! path-not-connected
path(camera, detect, camera, latency="100 ms")  # ! path-repeats
path(camera, "detcet", latency="100 ms")  # ! unknown-component
path(camera, detekt, latency="100 ms")  # ! undefined-name
path(latency="100 ms")  # ! empty-path
path(camera, detect)  # ! missing-key
path(camera, detect, latency="100 kg")  # ! wrong-unit
path(camera, detect, latency="100 ms", percentil=99)  # ! unknown-key
path(camera, detect, latency="100 ms")
path("camera", "detect", latency="90 ms")  # ! duplicate-path
path(camera, detect, latency="200 ms", percentile=99)
path([camera, detect], latency="100 ms")  # ! wrong-type
