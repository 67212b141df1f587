"""Wörter aller Länder, in a file that says its encoding."""

from __future__ import annotations

from ecotone import component

größe = 3


@component(every="1 s", name="uhr", labels={}, capacity=größe)
def läuft() -> str:
    """Läuft und läuft."""
    return "läuft"
