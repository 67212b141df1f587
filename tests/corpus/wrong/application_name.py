"""The application's own name."""

from __future__ import annotations

from ecotone import component, parameter, path, variant


@component(every="40 ms")
def camera() -> bytes:
    return b""


APPLICATION = "my app"  # ! bad-name
