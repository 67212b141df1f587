"""The memory that the ranks of a job on one node share: its size and its head. Called by the job.

The layout is that of `transport.c` in `ecotone/design/cells/library`, which is built into every cell: 64 bytes of head,
64 for each rank's bell, then a ring for each ordered pair of ranks.
"""

from __future__ import annotations

import os
import struct

__all__ = ["open_region", "region_bytes", "ring_bytes"]

_LINE = 64
_RING_HEAD = 2 * _LINE
_RING_LEAST = 4096
_RING_MOST = 256 * 1024
_RINGS_TOGETHER = 64 * 1024 * 1024
_WASM_PAGE = 65536
_CREDIT_LEAST = 64 * 1024
_CREDIT_MOST = 1024 * 1024


def ring_bytes(ranks: int) -> int:
    """Room of each ring: a power of two, so that all of them together stay below 64 MiB where they can."""
    size = _RING_MOST
    while size > _RING_LEAST and ranks * ranks * size > _RINGS_TOGETHER:
        size //= 2
    return size


def region_bytes(ranks: int) -> int:
    """Size of the whole, in bytes, a multiple of WebAssembly's page."""
    used = _LINE + ranks * _LINE + ranks * ranks * (_RING_HEAD + ring_bytes(ranks))
    return -(-used // _WASM_PAGE) * _WASM_PAGE


def open_region(ranks: int, cores: int) -> int:
    """Makes the region, anonymous: it is gone when the last process that has it is gone.

    Args:
        ranks: of the job.
        cores: that the ranks share; it decides how they wait for each other.

    Returns:
        A file descriptor, which the caller closes.
    """
    descriptor = os.memfd_create("ecotone-cells", os.MFD_CLOEXEC)
    os.ftruncate(descriptor, region_bytes(ranks))
    credit = max(_CREDIT_LEAST, min(_CREDIT_MOST, _RINGS_TOGETHER // ranks))
    os.pwrite(descriptor, struct.pack("<IIII", ranks, ring_bytes(ranks), cores, credit), 0)
    return descriptor
