"""What the readers of SPACE4AI's descriptions disagree about, and the words and units that they share."""

from __future__ import annotations

from typing import Literal

import msgspec

from ecotone.orchestration.placement.system.model import Kind, Semantics

__all__ = ["KINDS", "LOAD_MAX", "MB", "MODES", "Mode", "Reading", "local_name"]

Mode = Literal["published", "python", "cpp", "ecotone"]


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """What a mode means. `bits_per_byte`: 8 where data is in MB and bandwidth in Mbit/s, 1 where both are the same."""

    bits_per_byte: int
    semantics: Semantics


MODES: dict[Mode, Reading] = {
    "published": Reading(
        bits_per_byte=1,
        semantics=Semantics(
            serverless_time_rate="component",
            serverless_price_rate="component",
            serverless_starts="queued",
            leaving="last",
        ),
    ),
    "python": Reading(
        bits_per_byte=8,
        semantics=Semantics(
            serverless_time_rate="partition",
            serverless_price_rate="component",
            serverless_starts="queued",
            memory_of_copies=False,
        ),
    ),
    "cpp": Reading(
        bits_per_byte=1,
        semantics=Semantics(serverless_starts="queued", shared_serverless_once=True, saturation=True),
    ),
    "ecotone": Reading(bits_per_byte=8, semantics=Semantics()),
}

MB = 2.0**20
LOAD_MAX = 1e6
"""Requests per second that a system may be asked."""
KINDS: dict[str, Kind] = {"EdgeResources": "edge", "CloudResources": "vm", "FaaSResources": "serverless"}


def local_name(component: str) -> str:
    """The name of the bound on one component alone; paths have the names that the file gives them."""
    return f"{component} alone"
