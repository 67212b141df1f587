"""How fast one machine is at several kinds of work: what a short benchmark found, and what predictions for it rest on.

Made by `design.calibration` on the machine itself; named by a node type of the continuum; read by the performance
model. Rates are work per second, so that the ratio of two machines' rates says how much faster one is.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

__all__ = ["CALIBRATION_VERSION", "Calibration", "Rate", "Scaling"]

CALIBRATION_VERSION = 1
_Positive = Annotated[float, msgspec.Meta(gt=0, lt=1e30)]


class _Frozen(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    pass


class Rate(_Frozen, frozen=True, kw_only=True):
    """Work per second of one thread in `unit`. `spread`: half of the range that holds 80 % of the repeats, relative to
    `value`; `repeats`: how many there were."""

    value: _Positive
    unit: str = ""
    spread: Annotated[float, msgspec.Meta(ge=0, lt=1e6)] = 0.0
    repeats: Annotated[int, msgspec.Meta(ge=1)] = 1


class Scaling(_Frozen, frozen=True, kw_only=True):
    """What `threads` threads do together, relative to one of them."""

    threads: Annotated[int, msgspec.Meta(ge=2)]
    speedups: dict[str, _Positive]


class Calibration(_Frozen, frozen=True, kw_only=True):
    """One machine. `rates` by the kind of work; `notes` say what disturbed the benchmark, and are empty when nothing
    did; `took_s` is how long it was."""

    machine: str
    cores: Annotated[int, msgspec.Meta(ge=1)]
    taken_at: str
    rates: dict[str, Rate]
    scaling: tuple[Scaling, ...] = ()
    notes: tuple[str, ...] = ()
    took_s: Annotated[float, msgspec.Meta(ge=0)] = 0.0
    version: int = CALIBRATION_VERSION
