"""A folder whose module imports one beside it."""

from __future__ import annotations

from _answers import Answer, answer

from ecotone import component, path


@component(request=True, timeout="500 ms", latency="200 ms", percentile=99)
def ask(question: str) -> Answer:
    return answer(question)


@component(on=ask, live=True)
def log(given: Answer) -> None:
    print(given)


path(ask, latency="200 ms")
