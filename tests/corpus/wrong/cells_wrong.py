"""Components of kind cell that cannot be."""

from ecotone import CellRun, component


@component(every="1 s", ranks=2)  # ! no-effect
def without_a_cell() -> int:
    return 1


@component(every="1 s", kind="cell")  # ! contradiction
def names_no_program(run: CellRun) -> int:
    return 1


@component(every="1 s", cell="absent.cell")  # ! unknown-file
def not_built(run: CellRun) -> int:
    return 1


@component(every="1 s", cell="cells_wrong.py", kind="python")  # ! contradiction
def of_two_kinds(run: CellRun) -> int:
    return 1


@component(every="1 s", cell="cells_wrong.py", ranks=0)  # ! out-of-range
def no_ranks(run: CellRun) -> int:
    return 1


@component(every="1 s", cell="cells_wrong.py")
def nothing_to_run_it_by() -> int:  # ! no-run-argument
    return 1


@component(on=nothing_to_run_it_by, cell="cells_wrong.py")
def only_an_item(item: int) -> int:  # ! no-run-argument
    return 1
