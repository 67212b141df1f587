"""Parameters of every type, in every place."""

from __future__ import annotations

from ecotone import component, parameter, path

period = parameter("period", "50 ms")
copies = parameter("copies", 2)
accuracy = parameter("accuracy", 0.5, help="least accuracy, 0 to 1")
live = parameter("live", True)
DEFAULT = "edge"
layer = parameter("layer", DEFAULT)
parameter("unused", "text")
bound = parameter(name="bound", default="1 s")


@component(every=period, live=live, labels={}, energy=None)
def tick() -> str:
    return period.value


@component(on=tick, replicas=copies, accuracy=accuracy, layers=[layer], regions=["eu-*", "us-east"])
def work(text: str) -> str:
    return text


path(tick, work, latency=bound)
