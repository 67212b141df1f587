"""A flag that is False is no trigger."""

from __future__ import annotations

from ecotone import component, parameter, path, variant


@component(source=False)  # ! missing-trigger
def tick():
    yield 1
