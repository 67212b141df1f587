from ecotone import component


@component(every="1 s")
def tick():
    return 1
