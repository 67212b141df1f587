"""A request has one answer."""

from __future__ import annotations

from ecotone import component, parameter, path, variant


@component(request=True)
def ask(question: str):  # ! request-yields
    yield question
