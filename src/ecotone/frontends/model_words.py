"""Figures of performance models as short text, the same in tables and report. Their units are those of the table."""

from __future__ import annotations

import math

from ecotone.frontends.words import NOTHING

__all__ = ["error_text", "figure_text", "readable"]


def figure_text(value: float) -> str:
    """Four significant digits, whole numbers in full up to a million: 1559.4 -> "1559"; NaN -> a dash."""
    if not math.isfinite(value):
        return NOTHING
    if abs(value) < 1e6 and value == int(value):
        return str(int(value))
    return f"{value:.0f}" if 1e3 <= abs(value) < 1e6 else f"{value:.4g}"


def error_text(share: float) -> str:
    """Percent with one decimal where it matters: 0.0213 -> "2.1 %"."""
    if not math.isfinite(share):
        return NOTHING
    return f"{100 * share:.1f} %" if share < 0.0995 else f"{100 * share:.0f} %"


def readable(text: str) -> str:
    """What a file holds may not steer a terminal."""
    return "".join(each if each.isprintable() else "\ufffd" for each in text)
