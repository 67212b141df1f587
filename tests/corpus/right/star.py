"""Everything by *, an alias of the decorator, tuples and constants of constants."""

from ecotone import *  # noqa: F403

stage = component
SECOND, TENTH = "1 s", "100 ms"
(EDGE, CLOUD) = ("edge", "cloud")
ANYWHERE = (EDGE, CLOUD)
TWO: int = 2
LOW = -0.0


@stage(every=SECOND, capacity=TWO)
def tick() -> int:
    return 1


@stage(on=(tick,), latency=TENTH, layers=ANYWHERE, batch=TWO, batch_wait=0)
def count(ticks: list[int]) -> int:
    return len(ticks)


path("tick", count, latency=SECOND, percentile=50)
