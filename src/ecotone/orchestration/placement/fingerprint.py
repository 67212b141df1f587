"""The name of everything that a plan was made for; light, since every start compares it."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ecotone.core.application import Application, Value
    from ecotone.core.continuum import Continuum
    from ecotone.core.plan import Confidence
    from ecotone.orchestration.performance.samples import Samples

__all__ = ["fingerprint_of"]

_MODEL_VERSION = 5
"""Raised when the same input would give another plan."""


def fingerprint_of(
    application: Application,
    continuum: Continuum,
    samples: Samples,
    *,
    parameters: Mapping[str, Value] | None = None,
    fuse: bool = False,
    confidence: Confidence = "upper",
    seed: int = 0,
) -> str:
    """32 hexadecimal digits; equal input gives equal digits on every machine."""
    chosen = [sorted((parameters or {}).items()), fuse, confidence, seed]
    parts = [application, continuum, samples, *chosen, _MODEL_VERSION]
    return hashlib.blake2b(msgspec.json.encode(parts, order="deterministic"), digest_size=16).hexdigest()
