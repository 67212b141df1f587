"""Components that use several cores at once."""

from ecotone import component, parameter

THREADS = parameter("threads", "1..4")
MOST = parameter("most", 8)


@component(every="1 s", cores=2)
def always_two() -> int:
    return 1


@component(on=always_two, cores=(1, MOST))
def from_one(number: int) -> int:
    return number


@component(on=from_one, cores=THREADS)
def as_text(number: int) -> int:
    return number


@component(on=as_text, cores="3..6")
def between_powers(number: int) -> None:
    print(number)
