"""Numbers of cores that no replica can have."""

from ecotone import CellRun, component


@component(every="1 s", cores=0)  # ! out-of-range
def none() -> int:
    return 1


@component(every="1 s", cores=(4, 1))  # ! out-of-range
def backwards() -> int:
    return 1


@component(every="1 s", cores=(1, 2, 4))  # ! wrong-type
def a_list() -> int:
    return 1


@component(every="1 s", cores="many")  # ! wrong-type
def in_words() -> int:
    return 1


@component(every="1 s", cores=True)  # ! wrong-type
def truth() -> int:
    return 1


@component(every="1 s", cores=(1, 2.5))  # ! wrong-type
def halves() -> int:
    return 1


@component(every="1 s", cell="cores_wrong.py", cores=(1, 512))  # ! out-of-range
def more_than_a_rank_has(run: CellRun) -> int:
    return 1


@component(every="1 s", cores=(1, MOST))  # ! undefined-name
def unknown() -> int:
    return 1
