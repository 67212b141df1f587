"""Not Python."""

from ecotone import component


@component(every="1 s"  # ! syntax-error
def camera() -> bytes:
    return b""
